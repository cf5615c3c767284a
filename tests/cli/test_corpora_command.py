"""`amsdf corpora`, and the paths that stand for corpora on any command line."""

import numpy as np
import pytest
import soundfile
from command_line import amsdf, refused
from toys import toy_corpus

from amsdf import registry
from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.corpora.finding.references import name_references


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMSDF_DATA", raising=False)
    toy_corpus(tmp_path / "toy", clips=2)
    (tmp_path / "data.yaml").write_text("toy: toy\n")
    return tmp_path


def test_corpora_list_check_and_manifest(capsys, place, tmp_path):
    done = amsdf(capsys, "corpora", "list")
    assert done.status == 0 and "your own: " in done.out
    assert all(name in done.out for name in registry.names("corpora"))
    assert amsdf(capsys, "corpora").out == done.out
    done = amsdf(capsys, "corpora", "check", "toy", "--quiet")
    assert done.status == 0 and "VERDICT: good" in done.out and done.err == ""
    for suffix in (".csv", ".parquet"):
        out = tmp_path / f"made/small{suffix}"
        done = amsdf(capsys, "corpora", "manifest", "toy/eval", "--out", out)
        assert done.status == 0 and "4 utterances of toy/eval" in done.out
        assert amsdf(capsys, "corpora", "check", out, "--quiet").status == 0
    path = tmp_path / "bad/real/nan.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(path, np.full(8000, np.nan, np.float32), 16_000, subtype="FLOAT")
    toy_corpus(tmp_path / "bad/fake", clips=1)
    done = amsdf(capsys, "corpora", "check", tmp_path / "bad", "--quiet")
    assert done.status == 1 and "VERDICT: problems" in done.out and "nan.wav" in done.out
    assert done.out.index("WHAT LISTENING") < done.out.index("PROBLEMS")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("list --out list.csv", "corpora list: --out has no effect; leave it out"),
        ("list toy", "corpora list: CORPUS has no effect; leave it out"),
        ("check toy --out toy.csv", "corpora check: --out has no effect; leave it out"),
        ("manifest toy --out toy.csv --sample 3", "manifest: --sample has no effect; leave it"),
    ],
)
def test_a_flag_without_effect_is_refused(capsys, place, words, says):
    assert says in refused(capsys, "corpora", *words.split())
    assert sorted(path.name for path in place.iterdir()) == ["data.yaml", "toy"]


@pytest.mark.parametrize(
    ("reference", "named", "count"),
    [
        ("a+b/own/eval", ["own/eval"], 4),
        ("a+b/own", ["own"], 12),
        ("a+b/own/manifest.csv", ["own"], 12),
        ("a+b", ["a-b"], 12),
        ("toy/eval+a+b/own/eval", None, 0),
        ("other/eval+toy/dev", ["other/eval+toy/dev"], 8),
    ],
)
def test_a_plus_joins_corpora_and_may_stand_in_a_path(place, reference, named, count):
    (place / "a+b/real").mkdir(parents=True)
    (place / "a+b/fake").mkdir()
    toy_corpus(place / "a+b/own", clips=2)
    toy_corpus(place / "other", clips=2)
    if reference == "a+b":
        for label in ("real", "fake"):
            toy_corpus(place / "a+b" / label, clips=1)
    names, roots = name_references([reference], {"toy": place / "toy"})
    if named is None:
        with pytest.raises(ValueError, match="no corpus named"):
            open_corpus(names[0], roots)
        return
    assert names == named
    assert len(open_corpus(names[0], roots)) == count
