"""A judge to one ONNX file: graph, check, metadata, file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import onnxruntime
from torch.onnx import ONNXProgram

from amsdf.files import write_atomically
from amsdf.scoring.judge import Judge
from amsdf.serving.export.contents import KEY, contents_of
from amsdf.serving.export.graph import graph_of
from amsdf.serving.export.parity import Parity, parity_of, require_parity


@dataclass(frozen=True)
class Exported:
    """A file that was written, and how far its numbers are from those of the detector."""

    path: Path
    parity: Parity

    @property
    def megabytes(self) -> float:
        """How large the file is."""
        return self.path.stat().st_size / 1e6


def export(judge: Judge, out: Path) -> Exported:
    """Write the ONNX file of a judge.

    Its graph is compared with the detector first; one that gives other numbers is refused.
    """
    judge.detector.to("cpu").eval()
    program = graph_of(judge.name, judge.detector)
    _forget_places(program)
    content = _bytes_of(program)
    parity = parity_of(judge.name, judge.detector, session_of(content))
    require_parity(judge.name, parity)
    knows = {**contents_of(judge), "parity": asdict(parity)}
    program.model.metadata_props[KEY] = json.dumps(knows)
    write_atomically(out, lambda temporary: program.save(temporary, external_data=False))
    return Exported(out, parity)


def session_of(content: bytes | str) -> onnxruntime.InferenceSession:
    """A file, or the bytes of one, ready to run on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as well
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _forget_places(program: ONNXProgram) -> None:
    """Each node says where in whose folders its code is: no business of those who get the file."""
    for node in program.model.graph:
        node.metadata_props.clear()


def _bytes_of(program: ONNXProgram) -> bytes:
    return program.model_proto.SerializeToString()
