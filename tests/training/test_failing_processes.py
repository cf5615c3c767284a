"""One of two training processes fails: both end within seconds, one says why, none waits."""

import signal
import time
from pathlib import Path

import pytest
import yaml
from pairs import finish, only_reason, start_two
from toys import TOY, toy_corpus

from amsdf.cli.main import main
from amsdf.training import processes

TESTS = Path(__file__).parents[1]
CRASH = "failed unexpectedly: RuntimeError: a crash; AMSDF_TRACEBACK=1 shows where"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "rank", "line"),
    [
        ("step-crash", 1, CRASH),
        ("step-refuse", 1, "a refusal"),
        ("step-die", 1, "another of the processes has ended"),
        ("step-die", 0, "another of the processes has ended"),
        ("save-crash", 0, CRASH),
    ],
)
def test_one_that_fails_ends_both(tmp_path, how, rank, line):
    """In a step of its own, where the other averages gradients; and where the other waits."""
    toy_corpus(tmp_path / "toy", 7)
    config = tmp_path / "toy.yaml"
    config.write_text(yaml.safe_dump(TOY))
    place = ["--data", f"toy={tmp_path / 'toy'}", "--out", str(tmp_path / "run"), "--quiet"]
    words = ["train", "--config", str(config), *place]
    started = time.monotonic()
    done = finish(start_two(str(TESTS / "two_failing.py"), how, str(rank), *words), 100)
    assert time.monotonic() - started < 90
    assert line in only_reason(done)
    killed = how == "step-die"
    assert done[rank][0] == (-signal.SIGKILL if killed else 2) and done[1 - rank][0] == 2


def test_what_is_refused_stays_refused_where_the_others_have_ended(monkeypatch, capsys):
    """They end while this one joins them to ask who speaks; the first has said it."""

    def join() -> int:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(processes, "num_together", join)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert main(["train", "--recipe", "no-such-recipe"]) == 2
    assert capsys.readouterr().err == ""
