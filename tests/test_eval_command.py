"""`amsdf eval`: what --on and --detector catch."""

from pathlib import Path

import pytest
from command_line import SMALL, amsdf, refused, toy_detector
from toys import toy_corpus


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Three good clips of the toy corpus, a detector, and this folder as the current one."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=2)
    toy_detector(tmp_path / "detector", **SMALL)
    return tmp_path


def test_a_shell_pattern_over_corpora_may_catch_a_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "data/toy", clips=2)
    (tmp_path / "data/README.md").write_text("where it comes from")
    toy_detector(tmp_path / "detector")
    found = sorted(str(path) for path in Path("data").iterdir())
    done = amsdf(capsys, "eval", "--detector", "detector", "--quiet", "--on", *found)
    assert done.status == 0 and "data/README.md: is no corpus, left out" in done.out


def test_two_detectors_or_corpora_of_one_name_are_refused_before_the_work(capsys, place):
    toy_detector(place / "other/detector", seed=1, **SMALL)
    words = ("eval", "--detector", "detector", "--quiet", "--on", "toy/eval")
    assert "two are called 'detector'" in refused(capsys, *words, "--detector", "other/detector")
    assert "two are called 'toy/eval'" in refused(capsys, *words, "toy/eval")
    assert not (place / "scores").exists()
