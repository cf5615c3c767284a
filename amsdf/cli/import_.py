"""`amsdf import`: a published checkpoint to a detector folder, its polarity settled."""

import json
from argparse import Namespace
from math import sqrt
from pathlib import Path

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.data.manifest import Manifest, read_manifest
from amsdf.detector import checkpoint
from amsdf.detector.detector import Detector
from amsdf.detector.inference import ScoreSettings, score_rows
from amsdf.detector.loading import best_device
from amsdf.detector.published import Family, bonafide_class_of, read, swap_classes
from amsdf.files import replace_folder, write_text
from amsdf.metrics import auc
from amsdf.weights import digest_of_file

#: What became of the file: its name, its SHA-256, its family and its bona fide class.
ORIGIN = "origin.json"
#: Of a score when polarities are compared: the company in a batch changes the digits behind.
DIGITS = 4
#: Fewer known clips than this get a warning.
FEW_CLIPS = 6


def run(args: Namespace) -> int:
    """Read, settle the polarity, write; nothing is written when something is refused."""
    file, out = Path(args.file), Path(args.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: exists and is not an empty folder; give another OUT")
    family, detector = read(file, Path(args.ssl) if args.ssl else None)
    print(f"{file}: {family.name}, {_num_parameters(detector):,} parameters")
    chosen, reason = _settled(args, family, detector)
    if chosen != BONAFIDE:
        swap_classes(detector)
    origin = {
        "file": file.name,
        "sha256": digest_of_file(file),
        "family": family.name,
        "bonafide_class": chosen,
    }
    replace_folder(out, lambda fresh: _write(fresh, detector, origin, out.parent))
    print(f"polarity: class {chosen} is bona fide ({reason})")
    print(f"detector: {out}")
    return 0


def _num_parameters(detector: Detector) -> int:
    return sum(parameter.numel() for parameter in detector.parameters())


def _settled(args: Namespace, family: Family, detector: Detector) -> tuple[int, str]:
    """The bona fide class and who said so."""
    given = args.bonafide_class
    if not args.verify:
        chosen = bonafide_class_of(family, given, Path(args.file))
        return chosen, "as published" if given is None else "as given"
    manifest = read_manifest(Path(args.verify)).require_both_classes()
    seen = verify(detector, manifest)
    if seen is None:
        if given is None and family.bonafide_class is None:
            raise ValueError(
                f"--verify {args.verify}: both polarities do about as well on these clips; give "
                "more clips, of attacks that the detector knows, or --bonafide-class 0 or 1"
            )
        chosen = bonafide_class_of(family, given, Path(args.file))
        return (
            chosen,
            f"{'as published' if given is None else 'as given'}; the clips decide nothing",
        )
    if given not in (None, seen):
        raise ValueError(
            f"--bonafide-class {given}: the clips of {args.verify} say {seen}; leave the flag out, "
            "or --verify if their labels are wrong"
        )
    return seen, f"verified on {len(manifest)} clips"


def verify(detector: Detector, manifest: Manifest) -> int | None:
    """The class that known clips say is bona fide; none when chance could say as much.

    Args:
        detector: With class 1 taken as bona fide.
        manifest: A few clips of both classes; one that cannot be read is an error.
    """
    scores: dict[int, list[float]] = {BONAFIDE: [], SPOOF: []}
    labels = manifest.table["label"].to_list()
    detector.to(best_device(None))
    settings = ScoreSettings(batch_size=8, progress=False)
    for rows, values, failed in score_rows(detector, manifest, range(len(manifest)), settings):
        if failed:
            raise ValueError(failed[0][1])
        for row, value in zip(rows, values, strict=True):
            scores[labels[row]].append(round(value, DIGITS))
    area = auc(scores[BONAFIDE], scores[SPOOF])
    counts = len(scores[BONAFIDE]), len(scores[SPOOF])
    print(
        f"AUC on {manifest.name} ({counts[0]} bona fide, {counts[1]} spoof): "
        f"{area:.3f} if class 1 is bona fide, {1 - area:.3f} if class 0 is"
    )
    if sum(counts) < FEW_CLIPS:
        print(f"warning: {sum(counts)} clips are few to tell the polarity; give more if you can")
    if abs(area - 0.5) <= _chance(*counts):
        return None
    return BONAFIDE if area > 0.5 else SPOOF


def _chance(num_bonafide: int, num_spoof: int) -> float:
    """How far from 1/2 an AUC of meaningless scores may well lie: two standard errors.

    Of few clips, a nearly perfect separation is taken as an answer.
    """
    error = sqrt((num_bonafide + num_spoof + 1) / (12 * num_bonafide * num_spoof))
    return min(2 * error, 0.45)


def _write(fresh: Path, detector: Detector, origin: dict[str, object], siblings: Path) -> None:
    checkpoint.write_into(detector.content(), fresh, siblings)
    write_text(fresh / ORIGIN, json.dumps(origin, indent=2) + "\n")
