"""Clips that cannot be used: a few are left out and listed, too many stop the run early."""

import polars as pl
import pytest
import torch
from toys import plan, same_weights, toy_experiment

from amsdf.cli.train import summary
from amsdf.data.manifest import Manifest
from amsdf.training.clips.bad_clips import BadClips
from amsdf.training.trainer import train

AUDIO = {"views": {"text": None}}
CLIPS = ["train_0_bonafide", "train_3_spoof", "train_5_spoof"]


def spoil(root, *utts: str) -> None:
    """The files of these clips are there and hold no sound."""
    for utt in utts:
        (root / f"toy/audio/{utt}.wav").write_bytes(b"no sound")


def listed(root) -> list[tuple[str, str]]:
    """Utterances and reasons in the list of the run."""
    table = pl.read_csv(root / "run/failed.tsv", separator="\t")
    assert table.columns == ["corpus", "utt", "path", "reason"] and set(table["corpus"]) == {"toy"}
    return list(table.select("utt", "reason").sort("utt").iter_rows())


@pytest.mark.parametrize(
    ("tolerance", "limit"), [(0, 0), (0.001, 2), (0.01, 25), (1, 1), (30, 30), (0.99, 2475)]
)
def test_a_tolerance_is_a_share_or_a_number(tmp_path, tolerance, limit):
    assert BadClips(tmp_path / "failed.tsv", tolerance, 2500).limit == limit


def test_missing_files_are_named_before_anything_is_made(tmp_path):
    given = plan(tmp_path, "run")
    for utt in CLIPS:
        (tmp_path / f"toy/audio/{utt}.wav").unlink()
    with pytest.raises(ValueError, match=r"3 of 16 recordings are missing \(.*allows 2$") as error:
        train(toy_experiment(train={"bad_clip_tolerance": 2}), given)
    assert all(f"{utt}.wav" in str(error.value) for utt in CLIPS)
    assert not (tmp_path / "run").exists()


def test_a_few_missing_files_are_left_out(tmp_path):
    """The run is that of a corpus without them."""
    settings = {"bad_clip_tolerance": 3, "epochs": 1}
    given = plan(tmp_path, "run")
    kept = Manifest("toy/train", given.train.table.filter(~pl.col("utt").is_in(CLIPS)))
    train(toy_experiment(train=settings), plan(tmp_path, "kept", train=kept))
    for utt in CLIPS:
        (tmp_path / f"toy/audio/{utt}.wav").unlink()
    progress = train(toy_experiment(train=settings), given)
    assert same_weights(tmp_path / "run/last", tmp_path / "kept/last")
    assert [utt for utt, _ in listed(tmp_path)] == CLIPS
    assert all(reason.endswith(".wav: no such file") for _, reason in listed(tmp_path))
    assert f"3 training clips left out; what failed, with reasons: {given.folder}/failed.tsv" in (
        summary(progress, given)
    )


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_few_unreadable_clips_are_left_out_and_listed_once(tmp_path, batch_size):
    """Whole batches may be without a clip; each epoch meets them again."""
    given = plan(tmp_path, "run")
    spoil(tmp_path, *CLIPS)
    settings = {"bad_clip_tolerance": 3, "epochs": 2, "batch_size": batch_size}
    progress = train(toy_experiment(**AUDIO, train=settings), given)
    assert [utt for utt, _ in listed(tmp_path)] == CLIPS
    assert all("cannot be decoded" in reason for _, reason in listed(tmp_path))
    assert progress.step == (2 * 13 if batch_size == 1 else 8) and not progress.skipped


def test_one_too_many_stops_and_a_mended_one_does_not_count(tmp_path):
    """A resumed run is that of good files: what stopped it was not saved."""
    experiment = toy_experiment(train={"save_steps": 1})
    train(experiment, plan(tmp_path, "good"))
    given = plan(tmp_path, "run")
    path = tmp_path / f"toy/audio/{CLIPS[0]}.wav"
    before = path.read_bytes()
    spoil(tmp_path, CLIPS[0])
    with pytest.raises(ValueError, match=r"1 of 16, train.bad_clip_tolerance allows 0$"):
        train(experiment, given)
    assert [utt for utt, _ in listed(tmp_path)] == CLIPS[:1]
    path.write_bytes(before)
    progress = train(experiment, plan(tmp_path, "run", resume=True))
    assert not progress.bad_clips and same_weights(tmp_path / "run/last", tmp_path / "good/last")


def test_what_was_left_out_is_known_after_a_resume(tmp_path):
    settings = {"bad_clip_tolerance": 1, "epochs": 1}
    given = plan(tmp_path, "run")
    spoil(tmp_path, CLIPS[0])
    train(toy_experiment(train=settings), given)
    state = torch.load(tmp_path / "run/last/training.pt", weights_only=True)
    assert list(state["progress"]["bad_clips"]) == CLIPS[:1]
    assert list(train(toy_experiment(train=settings), plan(tmp_path, "run", resume=True)).bad_clips)


def test_a_dev_set_must_be_complete(tmp_path):
    given = plan(tmp_path, "run")
    (tmp_path / "toy/audio/dev_2_spoof.wav").unlink()
    with pytest.raises(ValueError, match=r"^toy/dev: 1 of 16 recordings are missing .*complete$"):
        train(toy_experiment(train={"bad_clip_tolerance": 9}), given)
    assert not (tmp_path / "run").exists()


def test_clips_that_training_and_dev_share_are_named(tmp_path):
    """Their dev EER says nothing of speech that was not trained on."""
    given = plan(tmp_path, "run")
    dev = given.dev[0]
    table = pl.concat([dev.table, given.train.table[2:6]])
    with pytest.raises(
        ValueError,
        match=r"toy/train and dev set toy/dev share 4 clips \(train_1_bonafide, train_1_spoof, "
        r"train_2_bonafide …\), so the dev EER .*; leave them out of one of the two$",
    ):
        train(toy_experiment(), plan(tmp_path, "run", dev=[dev, Manifest("toy/dev", table)]))
    assert not (tmp_path / "run").exists()
