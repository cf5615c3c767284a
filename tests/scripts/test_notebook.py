"""The notebook of the documentation runs: train, judge, plot."""

import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from run_notebook import NOTEBOOK, run


def test_every_cell_runs_and_gives_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shown = nbformat.read(NOTEBOOK, as_version=4)
    again = run(NOTEBOOK, tmp_path / "again.ipynb")
    for before, now in zip(shown.cells, again.cells, strict=True):
        if before.cell_type != "code":
            continue
        assert before.source == now.source
        kinds = [[each.output_type for each in cell.outputs] for cell in (before, now)]
        assert kinds[0] == kinds[1], before.source
    text = str(again.cells)
    assert "image/png" in text and "one-voice/eval" in text and "Probably fake" in text


def test_what_is_shown_names_no_place_of_a_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert "Probably fake" in text
    assert not any(f"/{place}/" in text for place in ("home", "work", "root", "Users"))
