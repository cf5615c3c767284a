"""`amsdf export`."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from command_line import SMALL, amsdf, refused, toy_calibration, toy_detector
from toys import toy_corpus

from amsdf.scoring.judging.judge import load
from amsdf.serving.export import onnx_judge

pytest.importorskip("onnxscript", reason="onnxscript is not installed")


@pytest.fixture
def folder(tmp_path):
    made = toy_detector(tmp_path / "toy", **SMALL, score={"parts": "windows"})
    scores = np.random.default_rng(0).normal(size=40)
    toy_calibration(made, scores[:20] + 1, scores[20:])
    return made


def test_a_file_that_knows_what_its_answer_needs(folder, tmp_path, capsys):
    out = tmp_path / "models/toy.onnx"
    done = amsdf(capsys, "export", folder, out)
    assert done.status == 0 and done.out.startswith(f"{out}: ")
    assert "MB; its scores are within" in done.out and len(done.out.splitlines()) == 2
    assert (tmp_path / "models/amsdf_runtime.py").is_file()

    session = onnxruntime.InferenceSession(str(out))
    (given,) = session.get_inputs()
    assert given.name == "waveform" and given.shape == ["batch", 8000]
    assert [each.name for each in session.get_outputs()] == ["score", "embedding"]
    knows = json.loads(session.get_modelmeta().custom_metadata_map["amsdf"])
    judge = load(folder)
    assert knows["name"] == "toy" and knows["digest"] == judge.detector.digest()
    assert knows["score"]["parts"] == "windows" and knows["clip"]["samples"] == 8000
    assert knows["calibration"] == json.loads(judge.calibration.to_json())
    assert knows["parity"]["score"] <= 1e-4
    assert str(tmp_path).encode() not in out.read_bytes(), "nobody's folders are in it"
    assert b"site-packages" not in out.read_bytes()


def test_refusals_are_one_line(tmp_path, capsys, monkeypatch):
    assert "does not exist" in refused(capsys, "export", tmp_path / "absent", tmp_path / "a.onnx")
    monkeypatch.setattr("amsdf.serving.export.graph.MOST_BYTES", 1000)
    folder = toy_detector(tmp_path / "toy", **SMALL)
    line = refused(capsys, "export", folder, tmp_path / "a.onnx")
    assert "one ONNX file holds less than 2 GiB; export a smaller detector" in line
    assert not (tmp_path / "a.onnx").exists()


def test_a_graph_with_other_numbers_is_refused(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("amsdf.serving.export.parity.TOLERANCE", -1.0)
    line = refused(capsys, "export", folder, tmp_path / "a.onnx")
    assert "toy: the exported graph gives other numbers" in line
    assert not (tmp_path / "a.onnx").exists()


def test_eight_bits_and_what_they_cost(tmp_path, capsys):
    toy_corpus(tmp_path / "mine", clips=3)
    made = toy_detector(tmp_path / "toy")
    out = tmp_path / "toy.onnx"
    done = amsdf(capsys, "export", made, out, "--int8", "--on", tmp_path / "mine/eval")
    assert done.status == 0 and done.err == ""
    assert "int8: EER " in done.out and "on 6 clips of mine/eval" in done.out
    knows = onnx_judge.load(out).knows
    assert knows["int8"]["clips"] == 6 and 0 <= knows["int8"]["eer_int8"] <= 1

    graph = onnx.load(out).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("MatMulInteger") >= 6, "a transformer layer has six linear ones"
    banks = [each for each in graph.initializer if each.name.endswith(".bank")]
    assert banks and all(each.data_type == onnx.TensorProto.FLOAT for each in banks)


def test_eight_bits_need_a_corpus(folder, tmp_path, capsys):
    line = refused(capsys, "export", folder, tmp_path / "a.onnx", "--int8")
    assert "--int8 and --on CORPUS belong together" in line
    toy_corpus(tmp_path / "mine", clips=1)
    words = ("export", folder, tmp_path / "a.onnx", "--int8", "--on", tmp_path / "mine/eval")
    assert "its encoders have no linear layers" in refused(capsys, *words)
