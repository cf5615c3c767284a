"""The run folder: what is refused before anything is lost, and what is left at the end."""

import json
from dataclasses import replace

import polars as pl
import pytest
from toys import plan, toy_experiment

from amsdf.cli.train import report
from amsdf.data.manifest import Manifest
from amsdf.detector import checkpoint
from amsdf.detector.detector import Detector
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


def test_what_was_averaged_is_removed_however_the_run_ended(tmp_path, capsys):
    """A kill after the last save leaves it; the words after it name no epoch of another EER."""
    experiment = toy_experiment(train={"average_best": 2, "epochs": 2})
    progress = train(experiment, plan(tmp_path, "run"))
    (tmp_path / "run/averaged/step-00000004").mkdir(parents=True)
    train(experiment, plan(tmp_path, "run", resume=True))
    assert not (tmp_path / "run/averaged").exists()
    report(progress, tmp_path / "run")
    said = capsys.readouterr().out
    assert "% of the mean of the best weights" in said and "in epoch" not in said


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
    from amsdf.training import trainer
    from amsdf.training.validation import DevResult

    left = iter([*eers, *[0.0] * 9])
    monkeypatch.setattr(trainer, "validate", lambda *given: DevResult({}, next(left)))
    settings = {"validate_steps": 2, "patience": 2, "epochs": len(steps) // 2 + 2}
    train(toy_experiment(train=settings), plan(tmp_path, "run"))
    seen = [event["step"] for event in dev_events(tmp_path / "run")]
    assert seen[: len(steps)] == steps
    assert (seen == steps) == (eers[-1] > 0.3)
