"""Folders of score files: ours, flat ones, those of the AMSDF authors."""

from pathlib import Path

import pytest
from toy_scores import noisy

from amsdf.evaluation.results import matrix
from amsdf.scoring.folder import read_folder
from amsdf.scoring.score_files import write_scores


def test_folder_of_ours_and_flat_folder(tmp_path: Path):
    for detector in ("a", "b"):
        for corpus in ("x/eval", "y"):
            path = tmp_path / "scores" / detector / f"{corpus.replace('/', '__')}.tsv"
            write_scores(path, noisy(1, 1, detector, corpus, num=5))
    (tmp_path / "scores" / "a" / "failed.tsv").write_text("corpus\tutt\n")
    (tmp_path / "scores" / "a" / ".x.partial.jsonl").write_text("{}")
    results = matrix(read_folder(tmp_path / "scores"), rounds=5)
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
    from amsdf.scoring.folder import read_folder

    lines = "a 2.0 1 \nb 1.5 1 \nc -1.0 0 \nd 1.7 0 \n"
    for model in ("M1", "M2"):
        (tmp_path / model).mkdir()
        (tmp_path / model / "asvs2019la.txt").write_text(lines)
    found = read_folder(tmp_path)
    assert [table.header["detector"] for table in found] == ["M1", "M2"]
    assert {table.header["corpus"] for table in found} == {"asvs2019la"}
    assert found[0].table["label"].to_list() == [1, 1, 0, 0]
