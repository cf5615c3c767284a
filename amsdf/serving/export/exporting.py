"""A judge to one ONNX file: graph, check, metadata, file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import onnxruntime
from torch.onnx import ONNXProgram

from amsdf.data.manifest import Manifest
from amsdf.files import write_atomically
from amsdf.scoring.judging.judge import Judge
from amsdf.serving.export.contents import KEY, contents_of
from amsdf.serving.export.graph import graph_of
from amsdf.serving.export.onnx_judge import OnnxJudge
from amsdf.serving.export.parity import Parity, parity_of, require_parity
from amsdf.serving.export.quantising import RoundingCost, cost_of, linear_layers, quantise


@dataclass(frozen=True)
class Exported:
    """A file that was written, and how far its numbers are from those of the detector.

    The parity is that of the graph in float32; `cost` says what eight bits change.
    """

    path: Path
    parity: Parity
    cost: RoundingCost | None = None

    @property
    def megabytes(self) -> float:
        """How large the file is."""
        return self.path.stat().st_size / 1e6


def export(judge: Judge, out: Path, int8_on: Manifest | None = None) -> Exported:
    """Write the ONNX file of a judge.

    Its graph is compared with the detector first; one that gives other numbers is refused. With
    `int8_on` the linear layers of encoders are in eight bits, and their cost is measured there.
    """
    judge.detector.to("cpu").eval()
    program = graph_of(judge.name, judge.detector)
    linear = linear_layers(program)
    _forget_places(program)
    parity = parity_of(
        judge.name, judge.detector, session_of(program.model_proto.SerializeToString())
    )
    require_parity(judge.name, parity)

    knows = {**contents_of(judge), "parity": asdict(parity)}
    program.model.metadata_props[KEY] = json.dumps(knows)
    if int8_on is None:
        write_atomically(out, lambda temporary: program.save(temporary, external_data=False))
        return Exported(out, parity)
    if not linear:
        raise ValueError(f"{judge.name}: its encoders have no linear layers; export it in float32")
    with TemporaryDirectory() as folder:
        exact, coarse = Path(folder, "exact.onnx"), Path(folder, "coarse.onnx")
        program.save(exact, external_data=False)
        quantise(exact, coarse, linear)
        _tell(coarse, knows)
        cost = cost_of(OnnxJudge(exact), OnnxJudge(coarse), int8_on)
        model = _tell(coarse, {**knows, "int8": asdict(cost)})
    write_atomically(out, lambda temporary: onnx.save(model, temporary))
    return Exported(out, parity, cost)


def session_of(content: bytes | str) -> onnxruntime.InferenceSession:
    """A file, or the bytes of one, ready to run on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as well
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _tell(path: Path, knows: dict[str, Any]) -> onnx.ModelProto:
    """Put the metadata into a file -> what it holds."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {KEY: json.dumps(knows)})
    onnx.save(model, path)
    return model


def _forget_places(program: ONNXProgram) -> None:
    """Each node says where in whose folders its code is: no business of those who get the file."""
    for node in program.model.graph:
        node.metadata_props.clear()
