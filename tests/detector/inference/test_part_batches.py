"""Batches of parts: whole utterances by length, the same from every kind of worker."""

import multiprocessing
import time

import numpy as np
import polars as pl
import pytest
import torch
from toys import tone, toy_experiment, toy_manifest, write_wav

from amsdf.data.manifest import Manifest, read_manifest
from amsdf.data.waiting import Waits, waited
from amsdf.detector.inference import part_batches
from amsdf.detector.inference.part_batches import PartBatch, PartBatches, part_loader

WHOLE = {"clip": {"samples": None}}


@pytest.fixture
def clips(tmp_path) -> Manifest:
    """40 recordings of 0.2 to 1.5 s, one of 4 s, and one that is none."""
    seconds = np.random.default_rng(0).uniform(0.2, 1.5, 40)
    for index, length in enumerate([*seconds, 4.0]):
        write_wav(tmp_path / f"clips/{index:02d}.wav", tone(120, length, seed=index))
    (tmp_path / "clips/broken.wav").write_bytes(b"no sound")
    return read_manifest(tmp_path / "clips", labelled=False)


def test_whole_utterances_of_similar_length_are_together(clips, monkeypatch):
    monkeypatch.setattr(part_batches, "MOST_SECONDS", 5)
    batches = list(PartBatches(clips, range(len(clips)), toy_experiment(**WHOLE), 8))
    rows = [part.row for batch in batches for part in batch.parts]
    assert sorted(rows) == list(range(41)), "each once"
    assert [row for batch in batches for row, _ in batch.failed] == [41]
    assert max(len(batch.parts) for batch in batches) == 8
    held = sum(part.end for batch in batches for part in batch.parts)
    padded = sum(batch.waveform.numel() for batch in batches)
    assert padded < 1.25 * held
    assert all(batch.waveform.numel() <= 5 * 16_000 for batch in batches if batch.parts)


def test_a_recording_over_the_limit_is_a_batch_alone(clips, monkeypatch):
    monkeypatch.setattr(part_batches, "MOST_SECONDS", 2)
    batches = list(PartBatches(clips, range(len(clips)), toy_experiment(**WHOLE), 8))
    (long,) = [batch for batch in batches if batch.waveform.numel() > 2 * 16_000]
    assert [part.row for part in long.parts] == [40]


def test_what_cannot_be_read_is_named_where_nothing_else_is(clips):
    (batch,) = PartBatches(clips, [41], toy_experiment(**WHOLE), 8)
    assert not batch.parts and batch.failed[0][0] == 41
    assert "broken.wav: cannot be decoded" in batch.failed[0][1]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("settings", [WHOLE, {"clip": {"samples": 8000}}])
def test_a_worker_gives_the_same_batches(tmp_path, monkeypatch, method, settings):
    """Windows has `spawn` only: the table and the experiment go to a worker by pickle."""
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: [method])
    manifest = toy_manifest(tmp_path / "toy", "eval")
    table = manifest.table.with_columns(start=pl.Series([None, 0.25] * 8))
    batches = PartBatches(Manifest("m", table), range(1, 12), toy_experiment(**settings), 4)
    for batch, same in zip(part_loader(batches, 1), batches, strict=True):
        assert torch.equal(batch.waveform, same.waveform)
        assert [part.row for part in batch.parts] == [part.row for part in same.parts]


def test_a_batch_for_a_gpu_is_pinned(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + 1)
    pinned = PartBatch(waveform=torch.zeros(2, 3), lengths=torch.tensor([3, 2])).pin_memory()
    assert pinned.waveform.eq(1).all() and pinned.lengths.tolist() == [4, 3]


def test_the_time_that_a_loop_waits_is_counted():
    """And not what it does with what it gets."""

    def slow():
        for item in range(3):
            time.sleep(0.05)
            yield item

    waits = Waits()
    for _ in waited(slow(), waits):
        time.sleep(0.1)
    assert 0.15 <= waits.seconds < 0.3
    assert waits.words(waits.seconds * 4) == "25% of the time waiting for data"
    assert waits.words(100) == ""
