"""The run folder: what is refused before anything is lost, and what is left at the end."""

import json
import re
from dataclasses import replace

import polars as pl
import pytest
from command_line import files_below
from toys import plan, same_weights, toy_experiment

from amsdf.cli.train import summary
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.storage import checkpoint
from amsdf.training.trainer import train

SHORT = {"epochs": 1, "max_steps": 1}


@pytest.mark.parametrize("name", ["toy/train", "toy/dev"])
def test_a_run_goes_on_with_its_own_data_only(tmp_path, name):
    given = plan(tmp_path, "run")
    train(toy_experiment(train=SHORT), given)
    train(toy_experiment(train=SHORT), plan(tmp_path, "run", resume=True))
    sets = {"toy/train": given.train, "toy/dev": given.dev[0]}
    sets[name] = Manifest(name, sets[name].table.with_columns(attack=pl.lit("A99")))
    other = replace(given, resume=True, train=sets["toy/train"], dev=[sets["toy/dev"]])
    with pytest.raises(ValueError, match=rf"run: its run had other data as {name}; give the same"):
        train(toy_experiment(train=SHORT), other)


@pytest.mark.parametrize("part", ["best", "last", "averaged"])
def test_folders_of_something_else_are_kept(tmp_path, part):
    """Trap: results folder deleted on rerun."""
    (tmp_path / "run" / part).mkdir(parents=True)
    (tmp_path / "run" / part / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match=rf"run/{part}: is there and of no run; give another"):
        train(toy_experiment(), plan(tmp_path, "run"))
    assert (tmp_path / "run" / part / "thesis.txt").read_text() == "mine"


def test_a_detector_that_cannot_be_built_leaves_no_run_folder(tmp_path):
    """The corrected command then needs no other --out."""
    loss = {"name": "weighted-sum", "parts": [{"name": "oc-softmax", "weight": -1}]}
    with pytest.raises(ValueError, match="must not be negative"):
        train(toy_experiment(loss=loss), plan(tmp_path, "run"))
    assert not (tmp_path / "run").exists()
    train(toy_experiment(train=SHORT), plan(tmp_path, "run"))


def test_a_frozen_file_that_is_being_written_is_not_linked(tmp_path):
    experiment = toy_experiment(views={"text": {"freeze": True}})
    detector = Detector.build(experiment)
    detector.save_pretrained(tmp_path / "one")
    (frozen,) = (tmp_path / "one").glob("frozen-*.safetensors")
    half = tmp_path / ".last.fresh" / frozen.name
    half.parent.mkdir()
    half.write_bytes(frozen.read_bytes()[:100])
    (tmp_path / "one").rename(tmp_path.parent / f"{tmp_path.name}-away")
    detector.save_pretrained(tmp_path / "two")
    assert checkpoint.read_weights(tmp_path / "two").keys() == detector.state_dict().keys()


def test_what_was_averaged_is_removed_however_the_run_ended(tmp_path):
    """A kill after the last save leaves it; the words after it name no epoch of another EER."""
    experiment = toy_experiment(train={"average_best": 2, "epochs": 2})
    progress = train(experiment, plan(tmp_path, "run"))
    (tmp_path / "run/averaged/step-00000004").mkdir(parents=True)
    train(experiment, plan(tmp_path, "run", resume=True))
    assert not (tmp_path / "run/averaged").exists()
    first = summary(progress, plan(tmp_path, "run"))[0]
    assert "% of the mean of the best weights" in first and "in epoch" not in first


def dev_events(folder) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == "dev"]


def test_weights_are_validated_once_and_by_their_epoch(tmp_path):
    """Four steps an epoch, validated every other: the end of an epoch is not another one."""
    train(toy_experiment(train={"validate_steps": 2, "epochs": 2}), plan(tmp_path, "run"))
    events = dev_events(tmp_path / "run")
    assert [(e["epoch"], e["step"]) for e in events] == [(1, 2), (1, 4), (2, 6), (2, 8)]


def test_skipped_epochs_are_skipped_by_steps_too(tmp_path):
    settings = {"validate_steps": 3, "epochs": 3, "skip_validation": 1}
    train(toy_experiment(train=settings), plan(tmp_path, "run"))
    events = dev_events(tmp_path / "run")
    assert [(e["epoch"], e["step"]) for e in events] == [(2, 6), (2, 8), (3, 9), (3, 12)]


@pytest.mark.parametrize(
    ("eers", "steps"),
    [
        ([0.3, 0.3, 0.3, 0.3], [2, 4, 6, 8]),
        ([0.3, 0.4, 0.3, 0.4, 0.4], [2, 4, 6, 8, 10]),
        ([0.3, 0.3, 0.4, 0.5], [2, 4, 6, 8]),
        ([0.3, 0.4, 0.4], [2, 4, 6]),
    ],
)
def test_patience_counts_what_is_worse_and_stops_in_mid_epoch(tmp_path, monkeypatch, eers, steps):
    """An equal EER is no loss of time: AMSDF's early stop counts it as an improvement."""
    from amsdf.training.selection import selection
    from amsdf.training.selection.validation import DevResult

    left = iter([*eers, *[0.0] * 9])
    monkeypatch.setattr(selection, "validate", lambda *given: DevResult({}, next(left)))
    settings = {"validate_steps": 2, "patience": 2, "epochs": len(steps) // 2 + 2}
    train(toy_experiment(train=settings), plan(tmp_path, "run"))
    seen = [event["step"] for event in dev_events(tmp_path / "run")]
    assert seen[: len(steps)] == steps
    assert (seen == steps) == (eers[-1] > 0.3)


# More epochs, and what else may not change


def test_a_run_with_more_epochs_is_the_run_that_had_them_from_the_start(tmp_path):
    """Whether it was finished or stopped; and best/ is the best of all epochs."""
    settings = {"ema": 0.5, "schedule": "step", "step_epochs": 1}
    train(toy_experiment(train={**settings, "epochs": 3}), plan(tmp_path, "long"))
    train(toy_experiment(train={**settings, "epochs": 2}), plan(tmp_path, "run"))
    longer = toy_experiment(train={**settings, "epochs": 3})
    progress = train(longer, plan(tmp_path, "run", resume=True))
    assert (progress.epoch, progress.finished) == (3, True)
    for part in ("last", "best"):
        assert same_weights(tmp_path / "long" / part, tmp_path / "run" / part)
    assert checkpoint.read_experiment(tmp_path / "run") == longer


def test_a_run_that_ended_for_another_reason_is_not_lengthened(tmp_path):
    train(toy_experiment(train={"epochs": 2, "max_steps": 3}), plan(tmp_path, "run"))
    longer = toy_experiment(train={"epochs": 3, "max_steps": 3})
    assert train(longer, plan(tmp_path, "run", resume=True)).step == 3
    averaged = {"average_best": 2, "epochs": 2}
    train(toy_experiment(train=averaged), plan(tmp_path, "mean"))
    before = files_below(tmp_path / "mean")
    with pytest.raises(ValueError, match="mean: the weights of its best epochs are averaged"):
        train(toy_experiment(train={**averaged, "epochs": 3}), plan(tmp_path, "mean", resume=True))
    assert files_below(tmp_path / "mean") == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": {"epochs": 1}}, "(train.epochs: 2 in the run, 1 given); with --resume only"),
        ({"train": {"learning_rate": 0.01}}, "(train.learning_rate: 0.003 in the run, 0.01 given)"),
        ({"train": {"epochs": 9}, "seed": 8}, "(train.epochs: 2 in the run, 9 given; seed: 7 in"),
        ({"views": {"text": None}}, 'views.text.encoder: "xlsr" in the run, nothing given;'),
        ({"dev": ["toy/eval"]}, '(dev: ["toy/dev"] in the run, ["toy/eval"] given)'),
    ],
)
def test_what_differs_from_a_run_is_named_with_both_values(tmp_path, changes, words):
    train(toy_experiment(train={"epochs": 2, "max_steps": 1}), plan(tmp_path, "run"))
    before = files_below(tmp_path / "run")
    settings = {"epochs": 2, "max_steps": 1, **changes.pop("train", {})}
    with pytest.raises(ValueError, match=re.escape(words)):
        train(toy_experiment(train=settings, **changes), plan(tmp_path, "run", resume=True))
    assert files_below(tmp_path / "run") == before
