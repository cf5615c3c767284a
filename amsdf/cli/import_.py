"""`amsdf import`: published files to a detector folder."""

from argparse import Namespace
from pathlib import Path

from amsdf.data.manifest import read_manifest
from amsdf.detector.published.importing import import_published
from amsdf.detector.published.polarity import Polarity
from amsdf.detector.summary import count_parameters


def run(args: Namespace) -> int:
    """Import, and say what was found and how the polarity was settled."""
    imported = import_published(
        [Path(file) for file in args.files],
        Path(args.out),
        ssl=Path(args.ssl) if args.ssl else None,
        bonafide_class=args.bonafide_class,
        known=read_manifest(Path(args.verify)) if args.verify else None,
    )
    size = sum(count_parameters(imported.detector))
    print(f"{', '.join(args.files)}: {imported.family.name}, {size:,} parameters")
    if imported.polarity:
        _show_polarity(imported.polarity)
    print(f"polarity: class {imported.bonafide_class} is bona fide ({imported.reason})")
    print(f"detector: {args.out}")
    return 0


def _show_polarity(polarity: Polarity) -> None:
    print(polarity)
    if polarity.few:
        count = polarity.num_bonafide + polarity.num_spoof
        print(f"warning: {count} clips are few to tell the polarity; give more if you can")
