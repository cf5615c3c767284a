"""`amsdf train`: what it shows while it works and at its end, and how a run goes on."""

import re
from pathlib import Path

import pytest
from command_line import SMALL, amsdf, refused, toy_yaml
from toys import toy_corpus

from amsdf.detector.storage import checkpoint


@pytest.fixture
def words(tmp_path) -> list[str | Path]:
    """A training of two epochs into `run`."""
    toy_corpus(tmp_path / "toy")
    config = toy_yaml(tmp_path, **SMALL, train={"epochs": 2})
    return ["train", "--config", config, *data_and_out(tmp_path)]


def data_and_out(root: Path) -> list[str | Path]:
    return ["--data", f"toy={root / 'toy'}", "--out", root / "run"]


def test_training_shows_loss_and_dev_eer_and_ends_with_a_summary(capsys, tmp_path, words):
    done = amsdf(capsys, *words)
    assert done.status == 0
    for epoch in (1, 2):
        bars = [bar for bar in re.split(r"[\r\n]", done.err) if f"epoch {epoch}/2: 100%" in bar]
        assert re.search(r"4/4 .*, loss \d\.\d{4}, dev EER \d+\.\d\d %, best \d+\.\d\d %", bars[-1])
    first, *rest = done.out.splitlines()
    assert re.fullmatch(
        r"best dev EER \d+\.\d+ % in epoch [12]; 2 epochs, 8 steps, \d+ s", first
    ), first
    run = tmp_path / "run"
    assert rest == [
        f"detector: {run}/best",
        f"next: python main.py eval --detector {run} --on CORPUS",
        f"      python main.py score RECORDING --detector {run}",
    ]


def test_quiet_shows_no_bar(capsys, words):
    done = amsdf(capsys, *words, "--quiet")
    assert done.status == 0 and done.err == "" and "detector: " in done.out


def test_without_a_dev_set_no_eer_is_shown(capsys, words):
    done = amsdf(capsys, *words, "--set", "dev=[]")
    assert re.search(r"loss \d", done.err) and "EER" not in done.err + done.out
    assert re.fullmatch(r"2 epochs, 8 steps, \d+ s", done.out.splitlines()[0])


def test_a_run_knows_its_own_experiment(capsys, tmp_path, words):
    """`--resume --out RUN --epochs N` lengthens it; other changes are named with both values."""
    assert amsdf(capsys, *words, "--quiet").status == 0
    again = ["train", "--resume", *data_and_out(tmp_path), "--quiet"]
    line = refused(capsys, *again, "--learning-rate", "0.1")
    assert "(train.learning_rate: 0.003 in the run, 0.1 given)" in line
    done = amsdf(capsys, *again, "--epochs", "3")
    assert done.status == 0 and "; 3 epochs, 12 steps, " in done.out
    assert checkpoint.read_experiment(tmp_path / "run").train.epochs == 3


def test_clips_that_were_left_out_are_counted_and_the_status_says_so(capsys, tmp_path, words):
    (tmp_path / "toy/audio/train_0_spoof.wav").unlink()
    done = amsdf(capsys, *words, "--quiet", "--set", "train.bad_clip_tolerance=0.1")
    assert done.status == 1
    assert f"1 training clips left out; what failed, with reasons: {tmp_path}/run" in done.out
