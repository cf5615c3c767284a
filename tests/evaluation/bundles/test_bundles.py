"""Result folders against their record: no byte changes unnoticed, every figure is derived anew."""

import json
import random
import shutil

import polars as pl
import pytest
from arena_bundles import SAID, arena, detector_and_corpus
from command_line import SMALL, amsdf, files_below, refused, toy_detector

from amsdf.evaluation.bundles.ladder import DerivedFigure, agreement, figures_of
from amsdf.evaluation.bundles.record import RECORD, Record, digests, read_record


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toy_detector(tmp_path / "other", seed=1, **SMALL)
    return detector_and_corpus(tmp_path)


def evaluated(capsys, *words):
    """`scores/` of two detectors on two corpora."""
    names = ("--detector", "other", "--detector", "mine", "--on", "toy/eval", "toy/dev")
    done = amsdf(capsys, "eval", *names, "--out", "scores", "--quiet", *words)
    assert done.status == 0, done
    return done


def rewritten(folder, name, old, new):
    """A changed file, with a record that knows of it: only a new derivation shows the change."""
    path = folder / name
    text = path.read_text("utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), "utf-8")
    record = read_record(folder)
    Record(**{**vars(record), "files": digests(folder, [folder / f for f in record.files])}).write(
        folder
    )


# The record


@pytest.mark.parametrize("kind", ["eval", "arena"])
def test_no_byte_of_any_file_changes_unnoticed(capsys, place, kind):
    """One bit at random, in each file in turn, the record included; the file is named."""
    if kind == "eval":
        evaluated(capsys, "--html")
        folder = place / "scores"
    else:
        arena(capsys, "mine", "toy/eval", "--out", "b", *SAID)
        folder = place / "b"
    assert amsdf(capsys, "verify", folder).status == 0
    rng = random.Random(0)
    for name, content in 4 * list(files_below(folder).items()):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        (folder / name).write_bytes(changed)
        line = refused(capsys, "verify", folder)
        assert name in line and ("not as written" in line or "not as it was written" in line), name
        (folder / name).write_bytes(content)


def test_a_missing_file_is_named(capsys, place):
    evaluated(capsys)
    (place / "scores/mine/toy__dev.tsv").unlink()
    assert "scores: mine/toy__dev.tsv missing" in refused(capsys, "verify", "scores")
    assert "toy: holds no bundle.json" in refused(capsys, "verify", "toy")
    (place / "scores/bundle.json").write_text("{}")
    assert "bundle.json: is not as it was written" in refused(capsys, "verify", "scores")


def test_a_record_says_what_made_the_figures(capsys, place):
    evaluated(capsys)
    record = read_record(place / "scores")
    assert record.made_by == "eval" and set(record.experiments) == {"mine", "other"}
    assert record.environment["packages"]["torch"] and record.environment["processor"]
    assert {"matrix.csv", "mine/toy__eval.tsv"} <= set(record.files)
    content = json.loads((place / "scores" / RECORD).read_text("utf-8"))
    for changed in (
        json.dumps(content, indent=2) + "\n",
        json.dumps({**content, "environment": {"python": "2.7"}}, indent=1) + "\n",
    ):
        (place / "scores" / RECORD).write_text(changed)
        assert "is not as it was written" in refused(capsys, "verify", "scores")


# Figures derived anew


def test_flags_of_the_tables_are_recorded_as_they_were_given(capsys, place):
    """Of every kind: one word, a list in one word, a flag that is repeated, a switch."""
    flags = ("--by", "attack", "--by", "speaker", "--figures", "eer,cllr", "--compare")
    evaluated(capsys, *flags, "--grid", "attack,speaker", "--pool-all")
    words = read_record(place / "scores").words
    assert sorted(words) == sorted((*flags, "--grid", "attack,speaker", "--pool-all"))
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 0 and "verdict: identical" in done.out, done


def test_an_evaluation_with_a_calibration_of_its_own_is_derived(capsys, place):
    """The thresholds beside the scores are of `bundle.json` and decide again."""
    evaluated(capsys, "--calibrate-on", "toy/train")
    assert "mine/calibration.json" in read_record(place / "scores").files
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 0 and "verdict: identical" in done.out, done


def test_an_evaluation_is_identical_wherever_it_is(capsys, place, monkeypatch):
    evaluated(capsys, "--by", "attack", "--grid", "attack,speaker", "--fuse", "mean", "--html")
    shutil.copytree(place / "scores", place / "elsewhere/scores")
    shutil.rmtree(place / "toy")
    monkeypatch.chdir(place / "elsewhere")
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 0 and done.out.splitlines()[-1] == "verdict: identical", done
    for name in ("experiments", "matrix.csv", "report/matrix.md", "report/matrix.tex"):
        assert f"  {name}: identical" in done.out, done.out
    assert "by SHA-256 alone: " in done.out and "report/report.html" in done.out


def test_a_later_report_takes_the_place_of_an_earlier_one(capsys, place):
    """The record of `eval` no longer speaks for the tables that `report` has written anew."""
    evaluated(capsys, "--html")
    assert amsdf(capsys, "report", "scores", "--by", "attack").status == 0
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 0 and done.out.count("verdict: identical") == 2, done
    assert "scores/report: " in done.out
    evaluated(capsys, "--html")
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 0 and done.out.count("verdict: identical") == 1, done


def test_tables_of_another_run_are_named_as_not_checked(capsys, place):
    evaluated(capsys)
    assert "not checked" not in amsdf(capsys, "verify", "scores").out
    (place / "scores/by-speaker-of-before.csv").write_text("speaker,real\n")
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 0
    assert "  not checked, not in bundle.json: by-speaker-of-before.csv\n" in done.out


def test_a_record_cannot_choose_where_its_tables_are_made(capsys, place):
    """It may come from anywhere: another --out in its words has no effect."""
    evaluated(capsys)
    record = read_record(place / "scores")
    Record(**{**vars(record), "words": ("--out", "stolen")}).write(place / "scores")
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 0 and not (place / "stolen").exists(), done


def test_a_report_of_files_of_others_is_derived_with_its_key_and_flags(capsys, place):
    (place / "M1").mkdir()
    (place / "M1/itw.txt").write_text("a -2 \nb -1 \nc -1.5 \nd -1.7 \n")
    (place / "key.txt").write_text("a genuine\nb fake\nc fake\nd genuine\n")
    words = ("--key", "itw=key.txt", "--negate", "--out", "out")
    assert amsdf(capsys, "report", "M1", *words).status == 0
    done = amsdf(capsys, "verify", "out")
    assert done.status == 0 and "verdict: identical" in done.out, done
    assert "../key.txt" in read_record(place / "out").files
    (place / "key.txt").write_text("a genuine\nb genuine\nc fake\nd genuine\n")
    assert "../key.txt not as written" in refused(capsys, "verify", "out")


def test_a_table_that_does_not_follow_from_the_scores_differs(capsys, place):
    """By how much, and where; a record that was made to fit does not help."""
    evaluated(capsys)
    table = pl.read_csv(place / "scores/matrix.csv")
    stored = f"{table['threshold'][0]}"
    rewritten(place / "scores", "matrix.csv", stored, "0.5")
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 1 and "verdict: differs" in done.out, done
    line = next(line for line in done.out.splitlines() if line.startswith("  matrix.csv: differs"))
    assert "threshold: 0.5 stored, " in line


def test_scores_that_were_changed_after_their_table_differ(capsys, place):
    evaluated(capsys)
    first = (place / "scores/mine/toy__eval.tsv").read_text("utf-8").splitlines()[2].split("\t")[1]
    rewritten(place / "scores", "mine/toy__eval.tsv", first, "9.0")
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 1 and "matrix.csv: differs" in done.out, done


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("submission.yaml", "n_trials: 8", "n_trials: 9"), "submission.yaml, n_trials"),
        (("result.yaml", "eer_percent: ", "eer_percent: 1"), "result.yaml, eer_percent"),
        (("scores.txt", "0_bonafide ", "0_bonafide 1"), "scores.txt, eval_0_bonafide"),
        (("adapter.py", "DIGEST = '", "DIGEST = '0"), "adapter.py, DIGEST"),
    ],
)
def test_a_submission_that_does_not_follow_from_its_scores_differs(capsys, place, change, says):
    arena(capsys, "mine", "toy/eval", "--out", "b", *SAID)
    rewritten(place / "b", *change)
    done = amsdf(capsys, "verify", "b")
    assert done.status == 1 and says in done.out and "verdict: differs" in done.out, done


def test_a_submission_that_breaks_the_rules_is_refused(capsys, place):
    arena(capsys, "mine", "toy/eval", "--out", "b", *SAID)
    rewritten(place / "b", "meta.yaml", "slug: mine", "slug: Mine")
    assert "meta.yaml: system.slug: is 'Mine'" in refused(capsys, "verify", "b")


def test_another_experiment_than_the_scores_are_of_differs(capsys, place):
    evaluated(capsys)
    record = read_record(place / "scores")
    text = record.experiments["mine"].replace("seed: 7", "seed: 8")
    Record(**{**vars(record), "experiments": {**record.experiments, "mine": text}}).write(
        place / "scores"
    )
    done = amsdf(capsys, "verify", "scores")
    assert done.status == 1 and "experiments: differs" in done.out, done


# Against the same work elsewhere


def test_the_same_work_on_another_machine_is_equivalent_within_a_ten_thousandth(capsys, place):
    evaluated(capsys)
    shutil.copytree(place / "scores", place / "again")
    done = amsdf(capsys, "verify", "scores", "--against", "again")
    assert done.status == 0 and done.out.splitlines()[-1] == "verdict: identical"
    first = (place / "again/mine/toy__eval.tsv").read_text("utf-8").splitlines()[2].split("\t")[1]
    rewritten(place / "again", "mine/toy__eval.tsv", first, str(float(first) + 5e-5))
    done = amsdf(capsys, "verify", "scores", "--against", "again")
    assert done.status == 0 and "farthest differs by 5e-05, mine/toy__eval.tsv, eval_0" in done.out
    rewritten(place / "again", "mine/toy__eval.tsv", str(float(first) + 5e-5), "0.5")
    done = amsdf(capsys, "verify", "scores", "--against", "again")
    assert done.status == 1 and "mine/toy__eval.tsv: differs" in done.out, done


def test_the_work_of_another_detector_differs(capsys, place):
    evaluated(capsys)
    toy_detector(place / "mine", seed=2, **SMALL)
    words = ("--detector", "mine", "--on", "toy/eval", "--out", "again", "--quiet")
    assert amsdf(capsys, "eval", *words).status == 0
    line = refused(capsys, "verify", "scores", "--against", "again")
    assert "again: has no other/toy__eval.tsv, which scores has" in line
    done = amsdf(capsys, "verify", "again", "--against", "scores")
    assert done.status == 1 and "detector_hash" in done.out, done


# The ladder


def test_the_ladder():
    assert str(agreement([DerivedFigure("a", "1.0", "1.0")])).startswith("identical")
    near = agreement([DerivedFigure("a", "1", "1"), DerivedFigure("b", "0.1", "0.1000000000001")])
    assert near.step == "equivalent" and near.worst.place == "b"
    assert agreement([DerivedFigure("a", "1e6", "1000000.0001")]).step == "equivalent"
    far = agreement([DerivedFigure("a", "1", "1.1"), DerivedFigure("b", "0", "0.5")])
    assert far.step == "differs" and "by 0.5, b: 0 stored, 0.5 derived" in str(far)
    assert agreement([DerivedFigure("a", "x", "y")]).step == "differs"
    assert agreement([DerivedFigure("a", "", "0")]).step == "differs"


def test_rows_may_stand_in_another_order():
    one = "detector,corpus,eer\na,x,1\na,y,2\nb,x,3\n"
    other = "detector,corpus,eer\nb,x,3\na,y,2\na,x,1\n"
    assert agreement(figures_of("t.csv", one, one)).step == "identical"
    assert agreement(figures_of("t.csv", one + "c,x,4\n", one)).step == "differs"
    found = figures_of("t.csv", one.replace("a,y,2", "a,y,4"), one)
    assert [each.place for each in found if each.distance] == ["t.csv, a, y, eer"]
    (_, second) = figures_of("t.json", '{"a": [1, {"b": null}]}', '{"a": [1, {"b": 2}]}')
    assert (second.place, second.stored, second.derived) == ("t.json, a.1.b", "", "2")
    assert agreement(figures_of("t.csv", one, other)).step == "identical"
