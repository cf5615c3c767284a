"""Which clips stand in which batch: buckets, shares, corpora, and what is drawn again."""

import numpy as np
import polars as pl
import pytest
import soundfile
from toys import plan, toy_experiment, toy_manifest

from amsdf.config import Training
from amsdf.data.augmentations import build_augmentations
from amsdf.data.batching import durations, training_batches
from amsdf.data.dataset import Clips, TrainingTransform
from amsdf.data.manifest import Manifest
from amsdf.training.trainer import train


def made_up(clips: int, **columns) -> Manifest:
    """Clips that lie nowhere, one in four bona fide; corpora `a` and, of the last quarter, `b`."""
    rows = range(clips)
    table = {
        "utt": [str(row) for row in rows],
        "path": [f"/nowhere/{row}.wav" for row in rows],
        "label": [int(row % 4 == 0) for row in rows],
        "corpus": ["b" if row >= clips * 3 / 4 else "a" for row in rows],
    }
    return Manifest("made-up", pl.DataFrame({**table, **columns}))


def rows_of(manifest: Manifest, versions: int = 1, **settings) -> list[np.ndarray]:
    batches = training_batches(manifest, Training(**settings), (1, 0), versions)
    assert all(epoch == 0 for batch in batches for epoch, _ in batch)
    places = [place for batch in batches for _, place in batch]
    assert len(set(places)) == len(places), "each place is drawn once"
    return [np.array([place for _, place in batch]) % len(manifest) for batch in batches]


def test_every_epoch_has_an_order_of_its_own():
    manifest, settings = made_up(64), Training(batch_size=4)
    epochs = [training_batches(manifest, settings, (1, epoch)) for epoch in range(3)]
    orders = {tuple(place for batch in epoch for _, place in batch) for epoch in epochs}
    assert len(orders) == 3 and all(sorted(order) == list(range(64)) for order in orders)


@pytest.mark.parametrize(("share", "count"), [(0.25, 1), (0.75, 3)])
def test_the_share_is_that_of_bona_fide(share, count):
    manifest = made_up(64)
    labels = manifest.table["label"].to_numpy()
    batches = rows_of(manifest, batch_size=4, bonafide_share=share)
    assert {int(labels[batch].sum()) for batch in batches} == {count}


def test_buckets_stay_whole_whatever_is_left_over():
    """103 clips in batches of 4: a short batch in the middle shifts no other."""
    seconds = np.random.default_rng(0).permutation(103).astype(float)
    manifest = made_up(103, duration=seconds)
    for epoch in range(5):
        settings = Training(batch_size=4, bucket_lengths=True)
        batches = training_batches(manifest, settings, (1, epoch))
        spans = [np.ptp([seconds[place] for _, place in batch]) for batch in batches]
        assert max(spans) <= 3, "four clips that follow each other in length"
        assert sorted(map(len, batches)) == [3] + [4] * 25
        assert sorted(place for batch in batches for _, place in batch) == list(range(103))


def test_buckets_and_shares_go_with_balanced_corpora():
    manifest = made_up(64, duration=[str(row) for row in range(64)])
    for settings in ({"bucket_lengths": True}, {"bonafide_share": 0.5}):
        batches = rows_of(manifest, batch_size=4, balance_corpora=True, **settings)
        corpora = manifest.table["corpus"].to_numpy()[np.concatenate(batches)]
        assert (corpora == "a").sum() == (corpora == "b").sum() > 0
    labels = manifest.table["label"].to_numpy()
    assert all(labels[batch].sum() == 2 for batch in batches)
    buckets = rows_of(manifest, batch_size=4, balance_corpora=True, bucket_lengths=True)
    assert max(np.ptp(batch) for batch in buckets) <= 16


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bonafide_share": 0.5, "bucket_lengths": True}, "are both set, .*; leave one out$"),
        ({"bonafide_share": 0.5, "batch_size": 1}, "needs a batch_size of 2 or more$"),
        ({"bonafide_share": 0.5, "batch_seconds": 9}, "and batch_seconds are .*; leave one out$"),
    ],
)
def test_settings_that_exclude_each_other_are_refused_when_parsed(settings, words):
    with pytest.raises(ValueError, match=f"^train: bonafide_share .*{words}"):
        toy_experiment(train=settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"train": {"batch_seconds": 9, "drop_last": True}}, "drop_last are .*; leave one out$"),
        (
            {"train": {"batch_seconds": 9}},
            "all clips are cut to clip.samples, .*; set clip.samples",
        ),
    ],
)
def test_seconds_of_a_batch_that_mean_nothing_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        toy_experiment(**settings)


def test_batches_of_so_many_seconds_hold_little_padding():
    """From 1 to 20 s a clip: each clip once, and none over the limit but what is so alone."""
    seconds = np.random.default_rng(0).uniform(1, 20, 1000)
    seconds[7] = 90.0
    manifest = made_up(1000, duration=seconds)
    batches = rows_of(manifest, batch_size=32, batch_seconds=60.0)
    padded = [len(batch) * seconds[batch].max() for batch in batches]
    assert sorted(row for batch in batches for row in batch) == list(range(1000))
    assert all(each <= 60 or len(batch) == 1 for each, batch in zip(padded, batches, strict=True))
    assert max(map(len, batches)) == 32 and [7] in [list(batch) for batch in batches]
    assert sum(padded) < 1.05 * seconds.sum()
    for settings in ({"batch_size": 8}, {"batch_size": 8, "bucket_lengths": True}):
        plain = rows_of(manifest, **settings)
        assert len(plain) == 125, "without a limit in seconds it is one in clips"


def test_a_clip_that_is_drawn_again_is_cropped_and_augmented_anew(tmp_path):
    """As a version of its own; the original beside its copies stays an original."""
    manifest = toy_manifest(tmp_path / "toy", "train").table[3:]
    few = Manifest("few", pl.concat([manifest.filter(label=1)[:1], manifest.filter(label=0)]))
    noise = {"name": "noise", "colour": "white", "snr_db": [0, 5]}
    copies = {"name": "copies", "n": 1, "of": [noise], "keep_original": True}
    for augment, versions in ((None, 1), (build_augmentations([copies], {}), 2)):
        settings = Training(batch_size=4, bonafide_share=0.5)
        batches = training_batches(few, settings, (1, 0), versions)
        assert list(batches) == list(training_batches(few, settings, (1, 0), versions))
        keys = [key for batch in batches for key in batch if key[1] % len(few) == 0]
        clips = Clips(few, toy_experiment().clip, TrainingTransform(1, augment))
        sounds = {clips[key].waveform.tobytes() for key in keys}
        assert len(keys) >= 8 and len(sounds) == len(keys)
    plain = Clips(
        few, toy_experiment(clip={"train_crop": "start"}).clip, TrainingTransform(1, augment)
    )
    kept = [key for key in keys if key[1] // len(few) % 2 == 0]
    assert len({plain[key].waveform.tobytes() for key in kept}) == 1 < len(kept)


def test_durations_are_of_what_is_heard(tmp_path):
    for name, seconds in (("0", 1.0), ("1", 2.0), ("2", 3.0)):
        soundfile.write(tmp_path / f"{name}.wav", np.ones(int(16000 * seconds)), 16000)
    paths = [str(tmp_path / name) for name in ("0.wav", "1.wav", "2.wav", "0.wav", "gone.wav")]
    columns = {
        "path": paths,
        "start": ["", "0.5", None, "0.25", ""],
        "end": ["", "", "2.5", "0.5", ""],
    }
    assert durations(made_up(5, **columns)).tolist() == [1.0, 1.5, 2.5, 0.25, 0.0]
    columns = {"path": paths, "duration": ["9", "", None, "8", "7"]}
    assert durations(made_up(5, **columns)).tolist() == [9, 2, 3, 8, 7]


def test_a_duration_that_is_no_number_is_refused(tmp_path):
    manifest = toy_manifest(tmp_path / "toy", "train")
    table = manifest.table.with_columns(duration=pl.lit("2 s"))
    given = plan(tmp_path, "run", train=Manifest("mine", table))
    with pytest.raises(ValueError, match=r"^mine: duration '2 s' is not a number of seconds"):
        train(toy_experiment(train={"bucket_lengths": True}), given)
    assert not (tmp_path / "run").exists()


def test_headers_are_opened_once(tmp_path, monkeypatch):
    manifest = toy_manifest(tmp_path / "toy", "train")
    first = durations(manifest)
    monkeypatch.setattr(soundfile, "info", None)
    assert durations(manifest).tolist() == first.tolist()
