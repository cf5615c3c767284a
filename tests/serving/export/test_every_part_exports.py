"""Every built-in encoder, head and loss as an ONNX graph that gives the same scores.

In the plain suite each encoder and head has its turn once; `slow` is their full product.
"""

from itertools import product
from typing import Any

import pytest
import torch
from test_conformance import ENCODERS, HEADS, LOSSES, OPTIONAL, OURS

from amsdf import registry
from amsdf.config import Experiment, merge
from amsdf.detector.detector import Detector
from amsdf.serving.export.exporting import session_of
from amsdf.serving.export.graph import graph_of
from amsdf.serving.export.parity import TOLERANCE, parity_of, require_parity

pytest.importorskip("onnxscript", reason="onnxscript is not installed")
#: Heads that fuse two views.
PAIRED = ("graph-fusion", "meso-inception")
#: Arguments that turn the nodes of an encoder into a stack, for heads that need one.
STACKS: dict[str, dict[str, Any]] = {
    "sinc-resnet": {"output": "bands"},
    **{name: {"layer": "all"} for name in ("xlsr", "speech-model", "emotion-model", "whisper")},
}
#: What makes views wide enough for MesoInception.
WIDE: dict[str, dict[str, Any]] = {
    "sinc-resnet": {"channels": [4, 4, 32]},
    "logmel": {"filters": 40},
    "acrnn": {"lstm": 16},
    "xlsr": {"hidden": 32},
    "whisper": {"width": 32},
}
TURNS = (
    *(("sinc-resnet", "aasist"), ("lfcc", "resnet18"), ("logmel", "hm-conformer")),
    *(("mfcc", "meso-inception"), ("acrnn", "pool-linear"), ("speech-quality", "statistics")),
    *(("xlsr", "ssl-aasist"), ("speech-model", "layer-attention")),
    *(("emotion-model", "graph-fusion"), ("whisper", "statistics")),
)
#: Losses that score; `bonafide-pairs` only helps others.
SCORING = [name for name in LOSSES if name != "bonafide-pairs"]


def detector(encoder: str, head: str, **changes: Any) -> Detector:
    """Of random weights; a ValueError where the two do not fit."""
    torch.manual_seed(0)
    stack = STACKS.get(encoder, {}) if head in ("aasist", "layer-attention") else {}
    plain = {"layer": "last"} if encoder == "speech-model" and not stack else {}
    wide = WIDE.get(encoder, {}) if head == "meso-inception" else {}
    view = {"encoder": encoder, **ENCODERS[encoder], **plain, **stack, **wide}
    given = {
        "name": "toy",
        "views": {name: view for name in ("audio", "text")[: 1 + (head in PAIRED)]},
        "head": {"name": head, **HEADS[head][1]},
        "loss": {"name": "cross-entropy"},
        "clip": {"samples": 16_000},
        "train": {"corpora": ["toy"]},
        "dev": ["toy"],
    }
    return Detector.build(Experiment.parse(merge(given, changes))).eval()


def check(made: Detector) -> None:
    program = graph_of("toy", made)
    found = parity_of("toy", made, session_of(program.model_proto.SerializeToString()))
    require_parity("toy", found)
    assert 0 < found.score <= TOLERANCE or found.embedding > 0, "compared with itself"


def test_every_part_has_its_turn() -> None:
    assert {encoder for encoder, _ in TURNS} == set(OURS)
    assert {head for _, head in TURNS} == set(HEADS)


@pytest.mark.parametrize(("encoder", "head"), TURNS)
def test_each_encoder_and_head_once(encoder: str, head: str) -> None:
    check(detector(encoder, head))


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "head"), sorted({*product(OURS, HEADS)} - {*TURNS}))
def test_all_pairs(encoder: str, head: str) -> None:
    try:
        made = detector(encoder, head)
    except ValueError as error:
        pytest.skip(f"{encoder} and {head} do not fit: {error}")
    check(made)


@pytest.mark.slow
@pytest.mark.parametrize("loss", SCORING)
def test_all_losses(loss: str) -> None:
    made = detector("lfcc", "statistics", loss={"name": loss, **LOSSES[loss]})
    if loss == "acs":
        made.loss.centroid.normal_()
        made.loss.initialised.fill_(True)
    check(made)


def test_clips_of_any_length() -> None:
    """Whole utterances: a graph whose batch and length are free, up to 32 s."""
    check(detector("lfcc", "statistics", clip={"samples": None}))


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["whisper", "speech-quality"])
def test_windows_of_an_encoder_need_clips_of_a_length(encoder: str) -> None:
    """How many windows there are is fixed in a graph: refused, and no wrong score."""
    made = detector(encoder, "statistics", clip={"samples": None})
    with pytest.raises(ValueError, match=r"toy: the exported graph (fails on|gives other numbers)"):
        check(made)


def test_a_band_is_limited_in_clips_that_divide() -> None:
    limited = {"band_hz": [50, 7000], "level_db": -26}
    check(detector("lfcc", "statistics", clip=limited))
    odd = detector("lfcc", "statistics", clip={"samples": 16_001, **limited})
    with pytest.raises(ValueError, match=r"toy: cannot become a graph: clip\.band_hz needs"):
        graph_of("toy", odd)


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_what_is_not_installed_cannot_be_exported(name: str) -> None:
    with pytest.raises(ValueError, match="which is not installed"):
        registry.load("encoders", name)
        pytest.skip(f"{name} is installed")
