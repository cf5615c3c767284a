"""`amsdf export`: a detector as an ONNX file, for use without torch."""

from argparse import Namespace
from pathlib import Path

from amsdf.scoring.judge import load
from amsdf.serving.export.exporting import export
from amsdf.serving.export.runtime import write_runtime


def run(args: Namespace) -> int:
    """Write the file, beside it what runs it, and say how near its scores are."""
    judge = load(args.detector, device="cpu", trust_remote_code=args.trust_remote_code)
    made = export(judge, Path(args.out))
    print(
        f"{made.path}: {made.megabytes:.1f} MB; its scores are within {made.parity.score:.1e} of "
        f"those of torch on {made.parity.clips} clips"
    )
    print(f"{write_runtime(made.path.parent)}: judges with it, without torch")
    return 0
