"""`amsdf export`: a detector as an ONNX file, for use without torch."""

from argparse import Namespace
from pathlib import Path

from amsdf.cli.flags.shared import named_paths
from amsdf.evaluation.cross_evaluation import open_corpora
from amsdf.scoring.judging.judge import load
from amsdf.serving.export.exporting import export
from amsdf.serving.export.runtime import write_runtime


def run(args: Namespace) -> int:
    """Write the ONNX file and its runtime, and print how far its scores are from those of torch."""
    judge = load(args.detector, device="cpu", trust_remote_code=args.trust_remote_code)
    if args.int8 != bool(args.on):
        raise ValueError("--int8 and --on CORPUS belong together: its cost is measured there")
    corpora = open_corpora([args.on], named_paths(args.data)) if args.on else []
    made = export(judge, Path(args.out), int8_on=corpora[0] if corpora else None)
    before = " before rounding" if made.cost else ""
    print(
        f"{made.path}: {made.megabytes:.1f} MB; its scores{before} are within "
        f"{made.parity.score:.1e} of those of torch on {made.parity.clips} clips"
    )
    if made.cost is not None:
        print(made.cost)
    print(f"{write_runtime(made.path.parent)}: judges with it, without torch")
    return 0
