"""Linear layers of encoders in eight bits, and what that costs on a corpus."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch.onnx import ONNXProgram

from amsdf.audio import read_audio
from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.data.manifest import Manifest
from amsdf.metrics import eer
from amsdf.serving.export.graph import silence
from amsdf.serving.export.onnx_judge import OnnxJudge

_LINEAR, _WITHIN = "torch.nn.modules.linear.Linear", "detector.encoders."


@dataclass(frozen=True)
class RoundingCost:
    """EERs in [0, 1] on the clips of a corpus that could be judged."""

    corpus: str
    clips: int
    eer_fp32: float
    eer_int8: float

    def __str__(self) -> str:
        return (
            f"int8: EER {100 * self.eer_int8:.2f} % instead of {100 * self.eer_fp32:.2f} % on "
            f"{self.clips} clips of {self.corpus}"
        )


def linear_layers(program: ONNXProgram) -> list[str]:
    """The nodes that are linear layers of encoders; heads decide, and stay as they are.

    Filter banks and transforms are products too: in eight bits they would drown quiet sound.
    """
    return [str(node.name) for node in program.model.graph if _is_linear(node.metadata_props)]


def _is_linear(said: Any) -> bool:
    kinds = said.get("pkg.torch.onnx.class_hierarchy", "")
    return _LINEAR in kinds and _WITHIN in said.get("pkg.torch.onnx.name_scopes", "")


def quantise(source: Path, target: Path, nodes: Sequence[str]) -> None:
    """Weights in eight bits; what they are multiplied with is rounded while it runs."""
    with silence():
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=list(nodes),
        )


def cost_of(exact: OnnxJudge, coarse: OnnxJudge, corpus: Manifest) -> RoundingCost:
    """Judge the labelled clips of a corpus with both; what cannot be judged is left out."""
    labels, scores = [], []
    for row in corpus.table.iter_rows(named=True):
        if row["label"] is None:
            continue
        try:
            waveform = read_audio(row["path"])
            scores.append([each.judge(waveform).score for each in (exact, coarse)])
        except ValueError:  # a clip that one of them cannot judge
            continue
        labels.append(row["label"])
    found, real = np.array(scores, np.float64).reshape(-1, 2), np.array(labels)
    if not {BONAFIDE, SPOOF} <= set(labels):
        raise ValueError(f"{corpus.name}: has not both real and fake clips that can be judged")
    rates = [float(eer(of[real == BONAFIDE], of[real == SPOOF]).rate) for of in found.T]
    return RoundingCost(corpus.name, len(labels), *rates)
