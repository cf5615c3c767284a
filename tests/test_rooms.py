"""The rooms of `amsdf`: their order, what a command may know, and the public API."""

import ast
import doctest
import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from command_line import SMALL, toy_calibration, toy_detector, toy_yaml
from test_tree import imports, module_of, report, sources
from toy_sounds import speech
from toys import tone, toy_corpus, write_wav

import amsdf

#: A room imports only from itself and from the rooms above it in this list.
ROOMS = (
    ("conventions", "published_names", "plain", "products"),
    ("contracts", "registry", "files", "weights", "metrics", "blocks"),
    "testing",
    "config",
    "audio",
    "data",
    "detector",
    "training",
    "scoring",
    "evaluation",
    "report",
    "serving",
    "cli",
)
COMMANDS = (
    "arena",
    "cache",
    "completion",
    "corpora",
    "demo",
    "doctor",
    "eval",
    "export",
    "import_",
    "init",
    "live",
    "plugins",
    "recipes",
    "report",
    "score",
    "serve",
    *("study", "verify"),
)
API = (
    *("BONAFIDE", "Detector", "Encoder", "Experiment", "Head", "Judge", "Loss", "Manifest"),
    *("Overrides", "SAMPLE_RATE", "SPOOF", "SpeechSpoofScore", "Verdict", "ViewShape"),
    *("__version__", "evaluate"),
    *("list_augmentations", "list_corpora", "list_encoders", "list_heads", "list_losses"),
    *("list_recipes", "load", "metrics", "train"),
)
#: Names without a docstring of their own.
CONSTANTS = ("BONAFIDE", "SAMPLE_RATE", "SPOOF", "__version__")


def floor_of(room: str) -> int:
    """How far down the list a room is."""
    return next(floor for floor, names in enumerate(ROOMS) if room == names or room in tuple(names))


def test_a_room_imports_only_from_rooms_above_it() -> None:
    """Blocks for type checkers count: a hidden circle is a circle."""
    problems = []
    for path, tree in sources().items():
        if not path.startswith("amsdf/") or path == "amsdf/__init__.py":
            continue
        here = path.split("/")[1].removesuffix(".py")
        for line, module in imports(tree):
            package, _, inside = module.partition(".")
            there = inside.split(".")[0]
            if package != "amsdf" or there in ("__version__", here):
                continue
            if floor_of(there) > floor_of(here):
                problems.append(f"{path}:{line}: {here} must not import {there}")
    report(problems)


def test_every_room_says_what_it_is() -> None:
    for path, tree in sources().items():
        if path.endswith("__init__.py"):
            assert ast.get_docstring(tree), f"{path} has no docstring"


def test_a_command_imports_no_other_and_passes_no_namespace_on() -> None:
    """What a command can do, a library user can: nobody else knows its flags."""
    problems = []
    for path, tree in sources().items():
        named = {name.rpartition(".")[2] for _, name in imports(tree)}
        if "Namespace" in named and path.startswith("amsdf/") and "/cli/" not in path:
            problems.append(f"{path}: takes a Namespace")
        if path.startswith("amsdf/cli/"):
            own = Path(path).stem
            commands = {f"amsdf.cli.{name}" for name in (*COMMANDS, "train") if name != own}
            known = {module_of(path), *(name.rpartition(".")[0] for _, name in imports(tree))}
            problems += [f"{path}: imports {name}" for name in sorted(known & commands)]
    report(problems)


# The public API


def test_the_public_api_is_this() -> None:
    assert tuple(dir(amsdf)) == API and sorted(amsdf.__all__) == list(API)
    assert all(hasattr(amsdf, name) for name in API)
    with pytest.raises(AttributeError, match="has no attribute 'detect'"):
        getattr(amsdf, "detect")  # noqa: B009


def test_the_detector_room_offers_what_others_use() -> None:
    """Looked up on first use: `doctor` imports from this room and must answer without torch."""
    room = import_module("amsdf.detector")
    assert all(getattr(room, name).__name__ == name for name in room.__all__)
    with pytest.raises(AttributeError, match=r"'amsdf\.detector' has no attribute 'Detectr'"):
        getattr(room, "Detectr")  # noqa: B009


def test_all_packages_are_typed() -> None:
    for name in ("amsdf", "encoders", "heads", "losses"):
        assert (Path(import_module(name).__file__).parent / "py.typed").is_file()


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder as the examples expect it: a run, a corpus, a recording, an experiment."""
    monkeypatch.chdir(tmp_path)
    best = toy_detector(tmp_path / "runs/mine/best", **SMALL, score={"parts": "windows"})
    scores = np.random.default_rng(0).normal(size=20)
    toy_calibration(best, scores[:10], scores[10:])
    toy_corpus(tmp_path / "toy", clips=4)
    toy_yaml(tmp_path, **SMALL, train={"epochs": 1})
    write_wav(tmp_path / "call.wav", speech(2.0))
    return tmp_path


@pytest.mark.parametrize("name", [name for name in API if name not in CONSTANTS])
def test_the_example_of_every_public_name_runs(name, place) -> None:
    thing = getattr(amsdf, name)
    home = thing if inspect.ismodule(thing) else import_module(thing.__module__)
    (found,) = doctest.DocTestFinder(recurse=False).find(thing, name, globs=vars(home).copy())
    assert found.examples, f"{name} has no example"
    failures: list[str] = []
    doctest.DocTestRunner().run(found, out=failures.append)
    assert not failures, "".join(failures)


def test_twelve_lines_judge_a_file(place) -> None:
    """The way of a library user, from a name to a decision."""
    judge = amsdf.load("runs/mine", device="cpu")
    verdict = judge("call.wav")
    assert 0 < verdict.probability < 1 and verdict.decision in ("real", "fake", "cannot tell")
    assert verdict.windows[0].start == 0 and not verdict.warnings
    scores = judge.detector.score(np.float32(tone(120)))
    assert scores.shape == (1,)
