"""Leaving each source out in turn: what stands in the folds, and a study from end to end."""

from pathlib import Path

import polars as pl
import pytest
import yaml
from toys import TOY, toy_corpus

from amsdf.cli.main import main
from amsdf.config import merge
from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.evaluation.studies.folds import Folds, write_folds


@pytest.fixture
def toy(tmp_path) -> Path:
    """A corpus of the sources a, b and c, each with both classes, and of d, which is all real."""
    folder = toy_corpus(tmp_path / "toy", clips=6)
    table = pl.read_csv(folder / "manifest.csv", infer_schema=False)
    number = pl.col("utt").str.extract(r"_(\d)_").cast(pl.Int64)
    last = (number == 5) & (pl.col("label") == "bonafide")
    of_number = (number % 3).replace_strict({0: "a", 1: "b", 2: "c"}, return_dtype=pl.String)
    source = pl.when(last).then(pl.lit("d")).otherwise(of_number)
    table.with_columns(source=source).write_csv(folder / "manifest.csv")
    return folder


def parts(name: str, roots) -> dict[str, pl.DataFrame]:
    return {part: open_corpus(f"{name}/{part}", roots).table for part in ("train", "dev", "eval")}


def test_each_source_is_tested_on_once_and_the_next_chooses(toy, tmp_path):
    folds, roots = write_folds(Folds(by="source"), ["toy"], [], {"toy": toy}, tmp_path / "out")
    assert [fold.value for fold in folds] == ["a", "b", "c"], "d has one class"
    for fold, following in zip(folds, "bca", strict=True):
        tables = parts(fold.name, roots)
        assert set(tables["eval"]["source"]) == {fold.value}
        assert set(tables["dev"]["source"]) == {following}
        assert set(tables["train"]["source"]) == {*"abcd"} - {fold.value, following}
        assert sum(map(len, tables.values())) == 36


def test_dev_corpora_lose_the_source_that_is_left_out(toy, tmp_path):
    given = Folds(by="source"), ["toy/train"], ["toy/dev"], {"toy": toy}, tmp_path / "out"
    folds, roots = write_folds(*given)
    tables = parts(folds[1].name, roots)
    assert set(tables["dev"]["source"]) == {*"acd"} and set(tables["train"]["source"]) == {*"acd"}
    assert all(utt.startswith("dev_") for utt in tables["dev"]["utt"])
    assert all(Path(path).is_file() for path in tables["dev"]["path"])


@pytest.mark.parametrize(
    ("by", "train", "words"),
    [
        ("sorce", ["toy"], r"has no column 'sorce'\. Did you mean 'source'"),
        ("split", ["toy/train"], "0|1 of its values have both classes; it needs 3, or 2 if"),
        ("source", [], "folds need the corpora to part: give them as train"),
    ],
)
def test_wrong_folds_are_refused(toy, tmp_path, by, train, words):
    with pytest.raises(ValueError, match=words):
        write_folds(Folds(by=by), train, [], {"toy": toy}, tmp_path / "out")


def test_a_study_of_folds_from_end_to_end(toy, tmp_path, capsys):
    """Two settings, two seeds, three sources; `report` reads the scores."""
    small = merge(TOY, {"views": {"text": None}, "train": {"epochs": 1}})
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small))
    study = {
        "recipes": [str(tmp_path / "small.yaml")],
        "losses": ["oc-softmax", "cross-entropy"],
        "seeds": [1, 2],
        "train": ["toy"],
        "folds": {"by": "source"},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    words = ["study", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out"), "--quiet"]
    words += ["--data", f"toy={toy}"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "[12/12] small-cross-entropy-source-c-seed2: dev EER" in told
    out = tmp_path / "out"
    rows = (out / "table.csv").read_text().splitlines()
    assert rows[0] == "recipe,loss,runs,dev,left out" and rows[1].startswith("small,oc-softmax,6,")
    rows = (out / "left-out.csv").read_text().splitlines()
    assert rows[0] == "left out,small oc-softmax,small cross-entropy"
    assert [row[0] for row in rows[1:]] == ["a", "b", "c"]
    rows = (out / "differences.csv").read_text().splitlines()
    assert rows[1].startswith("small,cross-entropy,left out,") and ",2 x 3," in rows[1]
    scores = out / "scores/small-oc-softmax-source-a-seed1"
    assert [path.name for path in scores.glob("*.tsv")] == ["source-a__eval.tsv"]
    assert main(["report", str(out / "scores"), "--out", str(tmp_path / "report")]) == 0
    assert "source-a/eval" in capsys.readouterr().out
    before = (out / "small-oc-softmax-source-a-seed1/best/model.safetensors").stat().st_mtime_ns
    assert main(words) == 0
    after = (out / "small-oc-softmax-source-a-seed1/best/model.safetensors").stat().st_mtime_ns
    assert before == after
