"""`amsdf eval`: what --on and --detector catch."""

from pathlib import Path

import pytest
from command_line import SMALL, amsdf, refused, toy_calibration, toy_detector
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
    assert done.status == 0 and "data/README.md: is not a corpus; left out" in done.out


def test_two_detectors_or_corpora_of_one_name_are_refused_before_the_work(capsys, place):
    toy_detector(place / "other/detector", seed=1, **SMALL)
    words = ("eval", "--detector", "detector", "--quiet", "--on", "toy/eval")
    assert "two are called 'detector'" in refused(capsys, *words, "--detector", "other/detector")
    assert "two are called 'toy/eval'" in refused(capsys, *words, "toy/eval")
    assert not (place / "scores").exists()


def test_what_failed_is_listed_whatever_becomes_of_the_tables(capsys, place):
    """And a list of other corpora, made before, stays."""
    toy_corpus(place / "torn", clips=2)
    bad = sorted((place / "torn/audio").glob("eval_0*"))
    for path in bad:
        path.write_bytes(b"")
    words = ("eval", "--detector", "detector", "--quiet", "--on")
    done = amsdf(capsys, *words, "torn/eval", "--by", "atack")
    assert done.status == 2 and "Did you mean 'attack'?" in done.err
    assert "2 scored + 2 failed = 4 listed" in done.out
    assert amsdf(capsys, *words, "toy/eval").status == 0
    listed = (place / "scores/failed.tsv").read_text()
    assert listed.count("torn/eval") == 2
    for path in bad:
        path.write_bytes((place / "toy/audio" / path.name).read_bytes())
    assert amsdf(capsys, *words, "torn/eval").status == 0
    assert not (place / "scores/failed.tsv").exists()


def test_a_threshold_without_calibration_has_no_effect_and_says_so(capsys, place):
    words = ("eval", "--quiet", "--on", "toy/eval", "--detector", "detector", "--threshold", "cost")
    assert "# --threshold cost has no effect on detector" in amsdf(capsys, *words).out


def test_eval_and_report_give_the_same_numbers(tmp_path, monkeypatch, capsys):
    """One result, one bootstrap, one seed: the page, the terminal and `report` cannot differ."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=12)
    toy_detector(tmp_path / "detector", **SMALL)
    toy_calibration(tmp_path / "detector", [1, 2, 3], [0, 1, 2])
    words = ("eval", "--detector", "detector", "--on", "toy/dev", "toy/eval", "--html", "--quiet")
    first = amsdf(capsys, *words, "--resample", "clip")
    assert first.status == 0, first.err
    figures = (tmp_path / "scores/matrix.csv").read_text()
    assert figures == (tmp_path / "scores/report/matrix.csv").read_text()
    second = amsdf(capsys, "report", "scores", "--resample", "clip")
    assert figures == (tmp_path / "scores/report/matrix.csv").read_text()
    assert "frr_low_percent" in figures and "cllr_calibrated_low" in figures
    table = first.out.partition("\n\n")[0]
    assert "[" in table and table == second.out.partition("\n\n")[0]
