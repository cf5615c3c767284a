"""Training against the straightforward way: the graph-fusion head, and a step of AMSDF.

    python scripts/bench/training.py                 # about 5 minutes on two cores
    python scripts/bench/training.py --only head     # a few seconds

In the step, the text view is frozen. The straightforward way computes it each time; ours takes it
from what is kept (`train.remember_views` or `--cache`), as every epoch but the first does.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from _paired import Pairs, compare, flags, report
from graph_attention import peak_bytes
from torch import Tensor

from amsdf.config import Experiment, merge, read_recipe
from amsdf.contracts import ViewShape
from amsdf.detector.detector import Detector
from amsdf.plain import plain_way
from heads.graph_fusion import GraphFusionHead

MIB = 1 << 20
SHAPES = {"audio": (29, 64), "emotion": (150, 256), "text": (201, 1024)}


def plainly(work: Callable[[], None]) -> Callable[[], None]:
    """The same work in the straightforward way."""

    def run() -> None:
        with plain_way():
            work()

    return run


def head(runs: int, batch: int = 12) -> list[Pairs]:
    """The published head, forward and backward."""
    torch.manual_seed(0)
    shapes = {name: ViewShape(width, None) for name, (_, width) in SHAPES.items()}
    fusion = GraphFusionHead(shapes, published=True).train()
    views = {name: torch.randn(batch, *shape, requires_grad=True) for name, shape in SHAPES.items()}

    def step() -> None:
        fusion(views).square().sum().backward()

    pairs = compare("graph-fusion head, a step", plainly(step), step, runs)
    peaks = [peak_bytes(way, "cpu") / MIB for way in (plainly(step), step)]
    memory = f"peak memory {peaks[0]:.0f} and {peaks[1]:.0f} MiB: {peaks[0] / peaks[1]:.1f} × less"
    return [replace(pairs, work=f"batch {batch}, forward + backward", note=memory)]


def amsdf(runs: int, batch: int = 4) -> list[Pairs]:
    """A training step of full-size AMSDF with a frozen text view."""
    torch.manual_seed(0)
    changes = {"views": {"text": {"freeze": True}}}
    experiment = Experiment.parse(merge(read_recipe("amsdf"), changes))
    detector = Detector.build(experiment).train()
    waveform = 0.1 * torch.randn(batch, 64_600)
    labels = torch.arange(batch) % 2
    with torch.no_grad():
        kept = {"text": detector.encoder("text")(waveform)}

    def step(known: dict[str, Tensor] | None) -> None:
        embeddings = detector.fuse(*detector.views(waveform, None, known))
        detector.loss(embeddings, labels).backward()

    pairs = compare(
        "AMSDF training step, text frozen", plainly(lambda: step(None)), lambda: step(kept), runs
    )
    return [replace(pairs, work=f"{batch} clips of 4.04 s", note="ours: the text view is kept")]


def main() -> None:
    """Both, or one of them."""
    parser = flags(__doc__)
    parser.add_argument("--only", choices=["head", "amsdf"])
    arguments = parser.parse_args()
    found = [] if arguments.only == "amsdf" else head(arguments.runs)
    found += [] if arguments.only == "head" else amsdf(arguments.runs)
    report(found, arguments.runs, arguments.json)


if __name__ == "__main__":
    main()
