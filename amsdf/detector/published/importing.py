"""Published files to a detector folder, with a note of where it comes from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsdf.contracts import BONAFIDE
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.published.family import Family
from amsdf.detector.published.polarity import Polarity, measure_polarity
from amsdf.detector.published.reading import bonafide_class_of, read
from amsdf.detector.storage import checkpoint
from amsdf.detector.storage.loading import best_device
from amsdf.files import replace_folder, write_text
from amsdf.weights import digest_of_file

#: What became of the files: names, SHA-256, family and bona fide class.
ORIGIN = "origin.json"


@dataclass(frozen=True)
class Imported:
    """What was read, and how its polarity was settled."""

    family: Family
    detector: Detector
    bonafide_class: int
    reason: str
    polarity: Polarity | None = None


def import_published(
    files: Sequence[Path],
    out: Path,
    *,
    ssl: Path | None = None,
    bonafide_class: int | None = None,
    known: Manifest | None = None,
) -> Imported:
    """Read, settle the polarity, write; nothing is written when something is refused.

    Args:
        files: One file, or the several of a system that has several.
        out: A folder that is new or empty.
        ssl: Speech model of a checkpoint that comes without.
        bonafide_class: Which of its two classes is bona fide, 0 or 1.
        known: Labelled clips that show it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: exists and is not an empty folder; give another OUT")
    family, detector = read(files, ssl)
    seen = None
    if known is not None:
        clips = known.require_both_classes()
        seen = measure_polarity(detector.to(best_device(None)), clips)
    chosen, reason = _settled(family, bonafide_class, seen, files[0])
    if chosen != BONAFIDE:
        detector.loss.swap_classes()

    origin: dict[str, Any] = {"file": files[0].name, "sha256": digest_of_file(files[0])}
    if len(files) > 1:
        origin |= {"more_files": {file.name: digest_of_file(file) for file in files[1:]}}
    origin |= {"family": family.name, "bonafide_class": chosen}

    def write(fresh: Path) -> None:
        checkpoint.write_into(detector.content(), fresh, out.parent)
        write_text(fresh / ORIGIN, json.dumps(origin, indent=2) + "\n")

    replace_folder(out, write)
    return Imported(family, detector, chosen, reason, seen)


def _settled(
    family: Family, given: int | None, seen: Polarity | None, file: Path
) -> tuple[int, str]:
    """The bona fide class and who said so."""
    said = "as published" if given is None else "as given"
    if seen is None:
        return bonafide_class_of(family, given, file), said
    shown = seen.bonafide_class
    if shown is None:
        if given is None and family.bonafide_class is None:
            raise ValueError(
                f"--verify {seen.corpus}: both polarities do about as well on these clips; give "
                "more clips, of attacks that the detector knows, or --bonafide-class 0 or 1"
            )
        return bonafide_class_of(family, given, file), f"{said}; the clips decide nothing"
    if given not in (None, shown):
        raise ValueError(
            f"--bonafide-class {given}: the clips of {seen.corpus} say {shown}; leave the flag "
            "out, or --verify if their labels are wrong"
        )
    return shown, f"verified on {seen.num_bonafide + seen.num_spoof} clips"
