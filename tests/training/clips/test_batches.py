"""The training set in groups, each an optimiser step; and how many there are."""

import multiprocessing

import polars as pl
import pytest
import torch
from toys import plan, toy_experiment, toy_manifest

from amsdf.data.dataset import TrainingTransform
from amsdf.data.manifest import Manifest
from amsdf.training.clips.batches import TrainingData, in_groups
from amsdf.training.trainer import train


@pytest.mark.parametrize(
    ("count", "groups"),
    [(1, [[0], [1], [2], [3], [4]]), (2, [[0, 1], [2, 3], [4]]), (5, [[*range(5)]])],
)
def test_a_shorter_group_at_the_end_is_a_step_too(count, groups):
    assert list(in_groups(range(5), count)) == groups


def test_the_steps_that_a_schedule_counts_on_are_those_that_are_made(tmp_path):
    """16 clips in batches of 3, two batches a step: three steps an epoch."""
    settings = {"batch_size": 3, "accumulate": 2, "epochs": 2}
    experiment = toy_experiment(train=settings, views={"text": None})
    manifest = toy_manifest(tmp_path / "toy", "train")
    expected = TrainingData(experiment, manifest, TrainingTransform(7)).total_steps()
    assert train(experiment, plan(tmp_path, "run")).step == expected == 6


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_stay_from_epoch_to_epoch_and_change_nothing(tmp_path, monkeypatch, method):
    """Also where a run goes on in mid-epoch, and where an epoch is left before its end."""
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: [method])
    experiment = toy_experiment(train={"batch_size": 3})
    manifest = toy_manifest(tmp_path / "toy", "train")
    alone, together = (
        TrainingData(experiment, manifest, TrainingTransform(7, pairs=True), workers)
        for workers in (0, 2)
    )
    workers = set()
    for epoch, after in ((0, 0), (1, 4), (2, 0)):
        expected = list(alone.loader(epoch, after))
        drawn = [[row for _, row in keys] for keys in alone.batches(epoch).after(after)]
        assert [batch.rows for batch in expected] == drawn
        for batch, same in zip(together.loader(epoch, after), expected, strict=False):
            assert batch.rows == same.rows
            assert torch.equal(batch.waveform, same.waveform)
            assert torch.equal(batch.pairs, same.pairs)
            if epoch == 1 and batch is not expected[0]:
                break
        workers |= {process.pid for process in multiprocessing.active_children()}
        assert len(together.loader(epoch, after)) == len(expected)
    assert len(workers) == 2
    together.close()
    assert not multiprocessing.active_children()


def test_steps_of_batches_of_so_many_seconds_are_counted_over_all_epochs(tmp_path):
    """An epoch has as many batches as its order gives."""
    settings = {"batch_size": 2, "batch_seconds": 2.1, "epochs": 8, "accumulate": 2}
    experiment = toy_experiment(train=settings, clip={"samples": None}, views={"text": None})
    table = pl.concat([toy_manifest(tmp_path / "toy", "train").table] * 8)
    numbered = table.with_columns(utt=pl.format("{}", pl.int_range(len(table))))
    data = TrainingData(experiment, Manifest("many", numbered), TrainingTransform(7))
    counts = [len(data.batches(epoch)) for epoch in range(8)]
    assert data.total_steps() == sum(-(-count // 2) for count in counts)
    assert len(set(counts)) > 1, "else this shows nothing"
    for batch in data.loader(0):
        assert batch.waveform.numel() <= 2.1 * 16_000


def test_batches_for_a_gpu_are_pinned_with_all_they_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + 1)
    experiment = toy_experiment(clip={"samples": None})
    data = TrainingData(
        experiment, toy_manifest(tmp_path / "toy", "train"), TrainingTransform(7, pairs=True)
    )
    batch = next(iter(data.loader(0)))
    before = {name: value for name, value in vars(batch).items() if torch.is_tensor(value)}
    assert len(before) == 5
    pinned = batch.pin_memory()
    assert all(torch.equal(vars(pinned)[name], value + 1) for name, value in before.items())
