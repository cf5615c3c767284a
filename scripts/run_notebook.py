"""Run the notebook of the documentation, and keep what its cells give.

    python scripts/run_notebook.py                    # docs/first-steps.ipynb, about a minute
    python scripts/run_notebook.py --out other.ipynb

Notes that programs write for their user (progress bars, warnings) are left out.
"""

import argparse
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).parents[1] / "docs" / "first-steps.ipynb"


def run(source: Path, out: Path) -> NotebookNode:
    """Run every cell, write the notebook to `out`, and give it back."""
    notebook = nbformat.read(source, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()

    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    nbformat.write(notebook, out)
    return notebook


def main() -> None:
    """The notebook of the documentation, in place unless told otherwise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=NOTEBOOK, help="default: in place")
    run(NOTEBOOK, parser.parse_args().out)


if __name__ == "__main__":
    main()
