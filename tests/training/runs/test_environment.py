"""`environment.json`: what decides the bits of a run is in it."""

import json

import pytest
import torch
from toys import plan, toy_experiment

from amsdf.training.runs import environment
from amsdf.training.trainer import train


def test_a_run_records_its_threads_and_its_processor(tmp_path, monkeypatch):
    """Sums depend on how they are shared out: one thread and two give other bits."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    train(toy_experiment(train={"max_steps": 1}), plan(tmp_path, "run"))
    found = json.loads((tmp_path / "run/environment.json").read_text())
    assert found["threads"] == {"intraop": 3, "interop": torch.get_num_interop_threads()}
    assert found["processor"]["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert found["processor"]["name"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: Fast 9000 @ 3:1\nmodel name\t: Other\n", "Fast 9000 @ 3:1"),
        ("processor\t: 0\n", "machine"),
        (None, "machine"),
    ],
)
def test_the_name_of_a_processor(tmp_path, monkeypatch, text, name):
    path = tmp_path / "cpuinfo"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(environment, "CPUINFO", path)
    monkeypatch.setattr(environment.platform, "processor", lambda: "")
    monkeypatch.setattr(environment.platform, "machine", lambda: "machine")
    assert environment.processor()["name"] == name
