"""`amsdf import`: a published checkpoint to a detector folder, its polarity settled."""

import json
from argparse import Namespace
from pathlib import Path

from amsdf.conventions import BONAFIDE
from amsdf.data.manifest import Manifest, read_manifest
from amsdf.detector import checkpoint
from amsdf.detector.detector import Detector
from amsdf.detector.loading import best_device
from amsdf.detector.polarity import measure_polarity
from amsdf.detector.published import Family, bonafide_class_of, read, swap_classes
from amsdf.files import replace_folder, write_text
from amsdf.weights import digest_of_file

#: What became of the file: its name, its SHA-256, its family and its bona fide class.
ORIGIN = "origin.json"


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
    """The class that known clips say is bona fide; none when chance could say as much."""
    found = measure_polarity(detector.to(best_device(None)), manifest)
    print(found)
    if found.few:
        count = found.num_bonafide + found.num_spoof
        print(f"warning: {count} clips are few to tell the polarity; give more if you can")
    return found.bonafide_class


def _write(fresh: Path, detector: Detector, origin: dict[str, object], siblings: Path) -> None:
    checkpoint.write_into(detector.content(), fresh, siblings)
    write_text(fresh / ORIGIN, json.dumps(origin, indent=2) + "\n")
