"""A detector to an ONNX graph, through `torch.export`."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import torch
from onnxscript import opset18
from torch import Tensor, nn
from torch.onnx import OnnxExporterError, ONNXProgram

from amsdf.audio.cropping import MIN_SAMPLES
from amsdf.detector.detector import Detector
from amsdf.plain import plain_way

INPUT, OUTPUTS = "waveform", ("score", "embedding")
#: A graph is traced on two clips; of whole utterances they have this many samples.
_CLIPS, _SAMPLES = 2, 24_000
#: One file of ONNX holds less than this many bytes.
MOST_BYTES = 2**31
#: What graphs are made of; its own types are stricter than its exporter.
_OPS: Any = opset18


class ScoredClips(nn.Module):
    """Clips (B, S) at 16 kHz, none of them padded -> scores (B,) and embeddings (B, E)."""

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector = detector

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S) -> (B,), (B, E)."""
        embeddings = self.detector(waveform).float()
        return self.detector.loss.score(embeddings).float(), embeddings


def has_free_length(detector: Detector) -> bool:
    """Whether clips of any length are scored; else all have the length of the experiment's clip."""
    return detector.experiment.clip.samples is None


def graph_of(name: str, detector: Detector) -> ONNXProgram:
    """The graph of a detector in evaluation mode; a ValueError that says why there is none."""
    _refuse_large(name, detector)
    clip = torch.zeros(_CLIPS, detector.experiment.clip.samples or _SAMPLES)
    free = {0: torch.export.Dim("batch", min=1)}
    if has_free_length(detector):
        free[1] = torch.export.Dim("samples", min=MIN_SAMPLES)
    try:
        with plain_way(), torch.no_grad(), silence():
            program = torch.onnx.export(
                ScoredClips(detector).eval(),
                (clip,),
                dynamo=True,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes=(free,),
                custom_translation_table={torch.ops.aten.sort.stable: _stable_sort},
                verbose=False,
            )
    except OnnxExporterError as error:
        raise ValueError(f"{name}: cannot become a graph: {_reason(error)}") from error
    assert program is not None, "the exporter gives a program unless it writes a file"
    return program


def _stable_sort(
    values: Any, stable: bool = True, dim: int = -1, descending: bool = False
) -> tuple[Any, Any]:
    """For the exporter, which knows none: of equal values, `TopK` gives the first one first."""
    count = _OPS.Gather(_OPS.Shape(values), _OPS.Constant(value_ints=[dim]))
    return _OPS.TopK(values, count, axis=dim, largest=int(descending), sorted=1)


def _refuse_large(name: str, detector: Detector) -> None:
    size = sum(each.numel() * 4 for each in detector.state_dict().values())
    if size >= MOST_BYTES:
        raise ValueError(
            f"{name}: its weights take {size / 2**30:.1f} GiB; one ONNX file holds less "
            "than 2 GiB; export a smaller detector"
        )


def _reason(error: BaseException) -> str:
    """What stopped the exporter, without its advice to programmers."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def silence() -> Iterator[None]:
    """The exporter tells programmers what it does; its users want an answer."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
