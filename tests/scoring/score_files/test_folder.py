"""Folders of score files: ours, flat ones, those of the AMSDF authors."""

from pathlib import Path

import pytest
from toy_scores import noisy

from amsdf.evaluation.matrix import matrix
from amsdf.scoring.score_files.folder import named_keys, read_folder
from amsdf.scoring.score_files.table import Foreign, Scores, write_scores


def test_folder_of_ours_and_flat_folder(tmp_path: Path):
    for detector in ("a", "b"):
        for corpus in ("x/eval", "y"):
            path = tmp_path / "scores" / detector / f"{corpus.replace('/', '__')}.tsv"
            write_scores(path, noisy(1, 1, detector, corpus, num=5))
    (tmp_path / "scores" / "a" / "failed.tsv").write_text("corpus\tutt\n")
    (tmp_path / "scores" / "a" / ".x.partial.jsonl").write_text("{}")
    results = matrix(read_folder(tmp_path / "scores"))
    assert results.detectors == ("a", "b") and results.corpora == ("x/eval", "y")
    flat = tmp_path / "M1"
    flat.mkdir()
    (flat / "itw.txt").write_text("1.wav 2.5 1 \n2.wav 0.5 0 \n")
    (scores,) = read_folder(flat)
    assert scores.header == {"detector": "M1", "corpus": "itw"} and len(scores.spoof) == 1


@pytest.mark.parametrize(
    ("content", "message"), [(None, "holds no score file"), ("u1 2.5\nu2 1.5\n", "give the key")]
)
def test_folder_refuses(tmp_path, content, message):
    if content:
        (tmp_path / "x.txt").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_folder(tmp_path)
    with pytest.raises(ValueError, match="no such file or folder"):
        read_folder(tmp_path / "gone")


def test_folder_of_the_amsdf_authors(tmp_path):
    """One folder a model, one file a corpus, `name score label` with a space at the end."""
    from amsdf.scoring.score_files.folder import read_folder

    lines = "a 2.0 1 \nb 1.5 1 \nc -1.0 0 \nd 1.7 0 \n"
    for model in ("M1", "M2"):
        (tmp_path / model).mkdir()
        (tmp_path / model / "asvs2019la.txt").write_text(lines)
    found = read_folder(tmp_path)
    assert [table.header["detector"] for table in found] == ["M1", "M2"]
    assert {table.header["corpus"] for table in found} == {"asvs2019la"}
    assert found[0].table["label"].to_list() == [1, 1, 0, 0]


def two_corpora(folder: Path) -> Path:
    """Score files of two detectors on two corpora whose keys have one file name."""
    for corpus, ids in (("LA", "ab"), ("DF", "cd")):
        (folder / corpus).mkdir(parents=True)
        (folder / corpus / "key.txt").write_text(f"{ids[0]} genuine\n{ids[1]} fake\n")
        for name in ("one", "two"):
            (folder / "scores" / name).mkdir(parents=True, exist_ok=True)
            (folder / "scores" / name / f"{corpus}.txt").write_text(f"{ids[0]} 2\n{ids[1]} 1\n")
    return folder


def test_several_keys_each_for_its_corpus(tmp_path):
    place = two_corpora(tmp_path)
    keys = named_keys([f"LA={place}/LA/key.txt", f"DF={place}/DF/key.txt"])
    found = read_folder(place / "scores", keys)
    named = {(table.header["detector"], table.header["corpus"]) for table in found}
    assert named == {("one", "LA"), ("one", "DF"), ("two", "LA"), ("two", "DF")}
    assert all(table.table["label"].to_list() == [1, 0] for table in found)
    (place / "scores/one/LA.txt").rename(place / "scores/one/mine.txt")
    mine = [table for table in read_folder(place / "scores", keys) if table.name == "mine"]
    assert mine[0].header == {"detector": "mine", "corpus": "LA"}, "found by its trials"


def test_keys_that_cannot_be_told_apart_are_refused(tmp_path):
    place = two_corpora(tmp_path)
    with pytest.raises(ValueError, match=r"two are called 'key' \(.*name them: --key CORPUS=FILE"):
        named_keys([f"{place}/LA/key.txt", f"{place}/DF/key.txt"])
    with pytest.raises(ValueError, match="is not of the form FILE or CORPUS=FILE"):
        named_keys(["LA="])
    twice = named_keys([f"a={place}/LA/key.txt", f"b={place}/LA/key.txt"])
    (place / "mine.txt").write_text("a 2\nb 1\n")
    with pytest.raises(ValueError, match=r"its trials are in several keys \(a, b\)"):
        read_folder(place / "mine.txt", twice)
    (place / "mine.txt").write_text("x 2\ny 1\n")
    with pytest.raises(ValueError, match=r"its trials are in none of the keys \(a, b\)"):
        read_folder(place / "mine.txt", twice)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (Foreign(negate=True), "--negate: all score files in .* are ours"),
        (Foreign(bonafide_label=1), "--bonafide-label: no score file in .* has numbers as labels"),
    ],
)
def test_our_own_files_are_not_told_what_they_say(tmp_path, how, says):
    """Refused, not ignored; where files of others are beside ours, the flag is for those."""
    header = {"detector": "a", "corpus": "x", "manifest_hash": "0"}
    ours = noisy(1, 1, "a", "x", num=5)
    write_scores(tmp_path / "a/x.tsv", Scores("x", ours.table, header))
    with pytest.raises(ValueError, match=says):
        read_folder(tmp_path, how=how)
    (tmp_path / "a/rival.txt").write_text("u 1 0\nv 2 1\n")
    if how.bonafide_label is not None:
        rival = read_folder(tmp_path, how=how)[0]
        assert rival.table["label"].to_list() == [0, 1] and rival.header["bonafide_label"] == "1"
