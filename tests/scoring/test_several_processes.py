"""`eval` by two processes: the files of one process, and nobody waits for one that has failed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import SMALL, amsdf, toy_detector
from pairs import finish, free_port, only_reason, start_two
from toys import toy_corpus

from amsdf.scoring.partial_scores import PartialScores
from amsdf.scoring.score_files.table import read_scores

TESTS = Path(__file__).parents[1]
MAIN = str(TESTS.parent / "main.py")
CLIPS = 7


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A corpus with a clip that cannot be read, and a detector."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", CLIPS)
    (tmp_path / "toy/audio/eval_3_spoof.wav").write_bytes(b"no sound")
    toy_detector(tmp_path / "detector", **SMALL)
    return tmp_path


def words(out: str) -> list[str]:
    scoring = ["--detector", "detector", "--on", "toy/eval", "--batch-size", "1", "--quiet"]
    return ["eval", *scoring, "--out", out]


def same(one: Path, other: Path) -> bool:
    """Whether two score files have the same header and, up to rounding, the same scores."""
    first, second = read_scores(one), read_scores(other)
    apart = (first.table["score"] - second.table["score"]).abs().max()
    others = pl.exclude("score")
    return (
        first.header == second.header
        and first.table.select(others).equals(second.table.select(others))
        and apart < 1e-5
    )


def left_of(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "detector").iterdir())


def test_two_processes_score_as_one(capsys, place):
    """One file in manifest order, the table once, what failed once."""
    amsdf(capsys, *words("alone"))
    done = finish(start_two(MAIN, *words("both")))
    assert [status for status, *_ in done] == [1, 0], done[0][2] + done[1][2]
    assert "13 scored + 1 failed = 14 listed" in done[0][1] and done[1][1] == ""
    assert done[0][1].count("Equal error rate") == 1
    alone, both = (place / out / "detector/toy__eval.tsv" for out in ("alone", "both"))
    assert same(alone, both)
    assert left_of(place / "both") == left_of(place / "alone")
    failed = (place / "both/failed.tsv").read_text()
    assert failed == (place / "alone/failed.tsv").read_text() and len(failed.splitlines()) == 2


def read(path, header, rows=4):
    scores = np.full(rows, np.nan)
    PartialScores(path, header).read(scores)
    return [None if np.isnan(score) else score for score in scores]


def test_what_several_processes_have_scored_is_kept(tmp_path):
    """Trap: a run of three that is killed and started again as one or two loses shares."""
    path, header = tmp_path / ".toy.partial.jsonl", {"detector": "a"}
    assert read(path, header) == [None] * 4
    for process in range(3):
        with (partial := PartialScores(path, header, process)):
            partial.append({process: float(process)})
    with PartialScores(path, {"detector": "b"}, 3):
        pass
    assert read(path, header) == [0.0, 1.0, 2.0, None]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert read(path, header) == [0.0, 1.0, 2.0, None]


def test_what_was_scored_is_kept_of_many_rows(tmp_path):
    path = tmp_path / ".toy.partial.jsonl"
    read(path, {})
    with (partial := PartialScores(path, {})):
        partial.append({row: row / 3 for row in range(2_999)})
    path.write_text(path.read_text() + '{"2999": 1.0, "30')  # killed while it was written
    for _ in range(2):
        assert read(path, {}, 3_000) == [row / 3 for row in range(2_999)] + [None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "rank", "line"),
    [
        ("batch-crash", 1, "failed unexpectedly: RuntimeError: a crash; AMSDF_TRACEBACK=1"),
        ("batch-refuse", 1, "a refusal"),
        ("batch-crash", 0, "failed unexpectedly: RuntimeError: a crash; AMSDF_TRACEBACK=1"),
        ("batch-die", 1, "another of the processes has ended"),
    ],
)
def test_one_that_fails_ends_both_and_the_next_run_goes_on(place, how, rank, line):
    script = str(TESTS / "two_failing.py")
    done = finish(start_two(script, how, str(rank), *words("scores")), 100)
    assert line in only_reason(done)
    killed = how == "batch-die"
    assert done[rank][0] == (-signal.SIGKILL if killed else 2) and done[1 - rank][0] == 2
    assert len(list((place / "scores/detector").glob(".toy__eval.partial*"))) == 2
    done = finish(start_two(MAIN, *words("scores")))
    assert [status for status, *_ in done] == [1, 0], done[0][2] + done[1][2]
    assert "13 scored + 1 failed = 14 listed" in done[0][1]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_the_launchers_end_all_when_one_is_killed(capsys, place, launcher):
    """As a user starts it; then the rest is scored by one process."""
    started = {
        "torchrun": ["torch.distributed.run", "--nproc_per_node=2", "--master_port"],
        "accelerate": [
            *("accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1"),
            *("--mixed_precision=no", "--dynamo_backend=no", "--main_process_port"),
        ],
    }[launcher]
    script = [str(TESTS / "two_failing.py"), "batch-die", "1", *words("scores")]
    done = subprocess.run(
        [sys.executable, "-m", *started, str(free_port()), *script],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 1 and f"-{signal.SIGKILL:d}" in done.stderr, done.stderr
    alone = amsdf(capsys, *words("scores"))
    assert alone.status == 1 and "13 scored + 1 failed = 14 listed" in alone.out
    assert left_of(place / "scores") == ["toy__eval.tsv"]
