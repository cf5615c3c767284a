"""The package of docs/plugin.md: installed by pip as printed, listed, selected, trained, judged."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from toys import toy_corpus

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/plugin.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
(PROJECT,) = [text for kind, text in BLOCKS if kind == "toml"]
(ENCODER,) = [text for kind, text in BLOCKS if kind == "python" and "(Encoder)" in text]


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
    (folder / "my_package.py").write_text(ENCODER)
    (folder / "pyproject.toml").write_text(PROJECT)
    done = python(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"),
        *("--disable-pip-version-check", "--target", str(folder / "site"), str(folder)),
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "site" / "my_package-0.1.dist-info").is_dir()
    return folder / "site"


def test_it_is_about_twenty_lines() -> None:
    code = [line for line in ENCODER.splitlines() if line.strip() and '"""' not in line]
    assert len(code) <= 20


def test_it_is_listed_with_its_owner(target: Path) -> None:
    done = python("main.py", "plugins", path=target)
    assert done.returncode in (0, 1), done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "envelope" in line]
    assert "Loudness of short frames through a linear layer. [my-package 0.1]" in line
    one = python("main.py", "plugins", "envelope", path=target)
    assert "encoder envelope" in one.stdout and "frame: int = 400" in one.stdout


def test_it_checks_itself(target: Path) -> None:
    done = python(str(target / "my_package.py"))
    assert done.returncode == 0, done.stderr


def test_it_is_selected_from_the_flags_and_trains(target: Path, tmp_path: Path) -> None:
    """To a detector folder; without the package it cannot be opened, and says why."""
    toy_corpus(tmp_path / "toy", clips=4)
    out = tmp_path / "run"
    done = python(
        *("main.py", "train", "--view", "audio=envelope:frame=200", "--head", "pool-linear"),
        *("--loss", "oc-softmax", "--data", f"toy={tmp_path / 'toy'}", "--quiet"),
        *("--train", "toy/train", "--dev", "toy/dev", "--epochs", "2", "--batch-size", "4"),
        *("--learning-rate", "0.01", "--set", "clip.samples=8000", "--out", str(out)),
        path=target,
    )
    assert done.returncode == 0, done.stderr
    experiment = (out / "best" / "experiment.yaml").read_text()
    assert "encoder: envelope" in experiment and "frame: 200" in experiment
    events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert sum(event["event"] == "dev" for event in events) == 2
    clip = str(next((tmp_path / "toy" / "audio").glob("*.wav")))
    without = python("main.py", "score", "--detector", str(out / "best"), clip)
    assert without.returncode == 2
    assert "no encoder named 'envelope'" in without.stderr
    assert len(without.stderr.strip().splitlines()) == 1


def test_it_is_refused_by_name_where_lengths_are_needed(target: Path, tmp_path: Path) -> None:
    """Whole-utterance mode asks more than twenty lines; the refusal comes before any training."""
    toy_corpus(tmp_path / "toy", clips=2)
    done = python(
        *("main.py", "train", "--view", "audio=envelope", "--head", "pool-linear"),
        *("--data", f"toy={tmp_path / 'toy'}", "--train", "toy/train", "--dev", "toy/dev"),
        *("--set", "clip.samples=null", "--out", str(tmp_path / "run"), "--quiet"),
        path=target,
    )
    assert done.returncode == 2
    assert "encoder 'envelope' takes no 'lengths'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
