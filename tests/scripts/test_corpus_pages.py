"""The pages of the corpora are those that the descriptions give, and say what readers keep."""

import importlib.util
import logging
import re
from pathlib import Path

import pytest
from corpus_trees import TREES, make_tree

from amsdf import registry
from amsdf.data.corpora.finding.corpus import open_corpus

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/corpora"
ALWAYS = {"utt", "path", "label", "corpus", "split"}
#: Columns that come from files which the small trees do not have.
SELDOM = {("partialspoof", "segments"), ("deepfake-eval-2024", "language")}


def load_script():
    path = ROOT / "scripts/write_corpus_pages.py"
    spec = importlib.util.spec_from_file_location("write_corpus_pages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load_script()


def test_pages_are_current():
    written = script.pages()
    assert {path.name for path in FOLDER.glob("*.md")} == {*written, "README.md"}
    for name, text in written.items():
        found = (FOLDER / name).read_text(encoding="utf-8")
        assert found == text, f"{name}: run python scripts/write_corpus_pages.py"
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert readme == script.with_list(readme)


@pytest.mark.parametrize("name", sorted(TREES))
def test_named_columns_are_those_of_the_manifests(name, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    corpus = registry.load("corpora", name)
    root = make_tree(tmp_path, TREES[name])
    found = set()
    for split in (*corpus.splits, *corpus.pooled):
        try:
            found |= set(open_corpus(f"{name}/{split}", {name: root}).table.columns)
        except ValueError as error:
            assert "Expected layout" in str(error)
    assert found, "no split of the small tree is read"
    seldom = {column for corpus_name, column in SELDOM if corpus_name == name}
    assert found - ALWAYS | seldom == set(corpus.columns)


def test_example_of_the_page_is_read(tmp_path):
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    files = {
        "mine.yaml": example,
        "lists/tst.txt": "s1 u1 x - human\ns1 u2 x A1 tts\ns1 u3 x A1 unsure\n",
        "lists/trn.txt": "s1 u9 x A1 vc\n",
        "eval/s1/u2.wav": "",
        "extra/A9/p225/deep/u7.flac": "",
    }
    make_tree(tmp_path, files)
    table = open_corpus(str(tmp_path / "mine.yaml"), {}).table
    rows = table.select("utt", "label", "attack", "speaker").rows()
    assert rows == [
        ("u1", 1, "-", "s1"),
        ("u2", 0, "A1", "s1"),
        ("extra/A9/p225/deep/u7.flac", 0, "A9", "p225"),
    ]
    assert table["path"][1] == str(tmp_path / "eval/s1/u2.wav")
