"""A package that somebody else wrote: made, installed by pip, listed, selected, trained, judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toys import toy_corpus

ROOT = Path(__file__).parent.parent
PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "amsdf-band-energy"
version = "0.3.1"
dependencies = ["amsdf"]

[project.entry-points."amsdf.encoders"]
my-encoder = "amsdf_band_energy:BandEnergyEncoder"
"""
ENCODER = '''\
"""Log energies of equal frequency bands, through one learned layer."""

import torch
from torch import Tensor, nn

from amsdf import Encoder


class BandEnergyEncoder(Encoder):
    """Log energies of equal frequency bands."""

    def __init__(self, *, bands: int = 8, dim: int = 12):
        super().__init__()
        self.bands, self.dim = bands, dim
        self.linear = nn.Linear(bands, dim)

    def forward(self, waveform: Tensor) -> Tensor:
        frames = waveform.unfold(1, 320, 160)
        power = torch.fft.rfft(frames)[..., 1:].abs().square()  # (B, N, 160)
        energies = power.unflatten(-1, (self.bands, -1)).mean(-1)
        return self.linear((energies + 1e-6).log())
'''
CHECK = """\
from amsdf import registry
from amsdf.testing import check_encoder
check_encoder(registry.build("encoders", "my-encoder"), samples=16_000)
print(registry.load("encoders", "my-encoder").__module__)
"""


def python(*words: str, path: Path | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def target(tmp_path_factory) -> Path:
    """The folder that pip installed the foreign package into, without a network."""
    pytest.importorskip("hatchling", reason="pip install -e '.[dev]' brings it")
    folder = tmp_path_factory.mktemp("package")
    (folder / "amsdf_band_energy.py").write_text(ENCODER)
    (folder / "pyproject.toml").write_text(PROJECT)
    done = python(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"),
        *("--disable-pip-version-check", "--target", str(folder / "site"), str(folder)),
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "site" / "amsdf_band_energy-0.3.1.dist-info").is_dir()
    return folder / "site"


def test_it_is_about_twenty_lines() -> None:
    code = [line for line in ENCODER.splitlines() if line.strip() and '"""' not in line]
    assert len(code) <= 20


def test_it_is_listed_with_its_owner(target: Path) -> None:
    done = python("main.py", "plugins", path=target)
    assert done.returncode in (0, 1), done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "my-encoder" in line]
    assert "Log energies of equal frequency bands. [amsdf-band-energy 0.3.1]" in line
    one = python("main.py", "plugins", "my-encoder", path=target)
    assert "encoder my-encoder" in one.stdout and "bands: int = 8" in one.stdout


def test_it_passes_the_check(target: Path) -> None:
    done = python("-c", CHECK, path=target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "amsdf_band_energy"


def test_it_is_selected_from_the_flags_and_trains(target: Path, tmp_path: Path) -> None:
    """To a detector folder; without the package it cannot be opened, and says why."""
    toy_corpus(tmp_path / "toy", clips=4)
    out = tmp_path / "run"
    done = python(
        *("main.py", "train", "--view", "audio=my-encoder:bands=16", "--head", "pool-linear"),
        *("--loss", "oc-softmax", "--data", f"toy={tmp_path / 'toy'}", "--quiet"),
        *("--train", "toy/train", "--dev", "toy/dev", "--epochs", "2", "--batch-size", "4"),
        *("--learning-rate", "0.01", "--set", "clip.samples=8000", "--out", str(out)),
        path=target,
    )
    assert done.returncode == 0, done.stderr
    experiment = (out / "best" / "experiment.yaml").read_text()
    assert "encoder: my-encoder" in experiment and "bands: 16" in experiment
    events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert sum(event["event"] == "dev" for event in events) == 2
    clip = str(next((tmp_path / "toy" / "audio").glob("*.wav")))
    without = python("main.py", "score", "--detector", str(out / "best"), clip)
    assert without.returncode == 2
    assert "no encoder named 'my-encoder'" in without.stderr
    assert len(without.stderr.strip().splitlines()) == 1


def test_it_is_refused_by_name_where_lengths_are_needed(target: Path, tmp_path: Path) -> None:
    """Whole-utterance mode asks more than twenty lines; the refusal comes before any training."""
    toy_corpus(tmp_path / "toy", clips=2)
    done = python(
        *("main.py", "train", "--view", "audio=my-encoder", "--head", "pool-linear"),
        *("--data", f"toy={tmp_path / 'toy'}", "--train", "toy/train", "--dev", "toy/dev"),
        *("--set", "clip.samples=null", "--out", str(tmp_path / "run"), "--quiet"),
        path=target,
    )
    assert done.returncode == 2
    assert "encoder 'my-encoder' takes no 'lengths'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
