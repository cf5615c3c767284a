"""What pyproject, requirements and the tree declare is there, and the other way round."""

import ast
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from test_tree import report, sources

from amsdf import registry

ROOT = Path(__file__).parent.parent


def declared() -> dict[str, dict[str, str]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]


@pytest.mark.parametrize("kind", registry.KINDS)
def test_installed_entry_points_equal_pyproject(kind: str) -> None:
    """After a change of the table: pip install -e ."""
    installed = {
        point.name: point.value
        for point in entry_points(group=f"amsdf.{kind}")
        if point.dist and point.dist.name == "amsdf"
    }
    assert installed == declared()[f"amsdf.{kind}"], "run pip install -e ."


def test_every_entry_point_names_something_there() -> None:
    """Without importing it: the file is there and defines the name, or a description has it."""
    problems = []
    names = [path.stem for path in (ROOT / "amsdf/data/corpora/descriptions").glob("*.yaml")]
    described = {f"amsdf.data.corpora.described:{kebab_to_upper(name)}" for name in names}
    for group, points in declared().items():
        for name, value in points.items():
            module, _, attribute = value.partition(":")
            tree = sources().get(module.replace(".", "/") + ".py")
            text = "" if tree is None else ast.unparse(tree)
            defined = re.search(rf"^(class {attribute}\b|{attribute}\b.* = )", text, re.M)
            if not (defined or value in described):
                problems.append(f"{group}: {name} = {value}")
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
                problems.append(f"{group}: {name} is not in kebab-case")
    missing = described - set(declared()["amsdf.corpora"].values())
    report([*problems, *(f"{value} is no entry point" for value in missing)])


def kebab_to_upper(name: str) -> str:
    return name.upper().replace("-", "_")


def test_requirements_are_pinned_and_complete() -> None:
    """Every direct dependency has one exact version; the last line installs the project."""
    lines = [
        line
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[-1] == "-e ."
    report([line for line in lines[:-1] if not re.fullmatch(r"[\w.\-]+==[\w.]+", line)])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=\[ ]", word)[0] for word in project["dependencies"]}
    assert needed == {line.partition("==")[0] for line in lines[:-1]}


def test_ranges_hold_the_pins_and_more_than_them() -> None:
    """Who installs the package beside others gets a range; only requirements.txt pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ranges = {one.name: one.specifier for one in map(Requirement, project["dependencies"])}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    report([f"{name}: {pin}" for name, pin in pins.items() if pin not in ranges[name]])
    assert all(f"{minor}.0" in ranges["torch"] for minor in ("2.9", "2.12", "2.14"))


def test_the_files_that_a_project_has() -> None:
    wanted = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile", ".ci/run"]
    wanted += ["pretrained_models/README.md"]
    report([name for name in wanted if not (ROOT / name).is_file()])
