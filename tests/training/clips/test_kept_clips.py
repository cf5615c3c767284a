"""Training from kept views is training without them, to the last bit, and hears nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import plan, same_weights, toy_experiment

from amsdf.config import Experiment
from amsdf.contracts import Encoder
from amsdf.data import dataset
from amsdf.data.augmentations import build_augmentations
from amsdf.detector.cache.view_cache import ViewCache
from amsdf.training.clips.kept_clips import keep_for_training
from amsdf.training.trainer import Trainer, train

FROZEN = {"audio": {"freeze": True}, "text": {"freeze": True}}
PAIRS = {"name": "weighted-sum", "parts": [{"name": "eoc-softmax"}, {"name": "bonafide-pairs"}]}
NOISE = [{"name": "noise", "colour": "white", "p": 0.5}]
LAYERS = {"audio": None, "text": {"layer": "all", "layers_count": 3, "freeze": True}}
SINC = {"encoder": "sinc-resnet", "filters": 8, "channels": [4, 4, 4], "mask_filters": 0}
ACRNN = {
    "encoder": "acrnn",
    "frames": 40,
    "channels": 4,
    "later_channels": 4,
    "hidden": 8,
    "lstm": 4,
}
ENCODERS = {"audio": {**SINC, "freeze": True}, "text": {**ACRNN, "freeze": True}}
CASES: dict[str, dict[str, Any]] = {
    "random crops": {"views": FROZEN, "train": {"draws": 2}},
    "crops at the start": {"views": FROZEN, "clip": {"train_crop": "start"}},
    "a view that learns": {"views": {"text": {"freeze": True}}, "train": {"draws": 2}},
    "other encoders": {"views": ENCODERS, "train": {"draws": 1}},
    "pairs and augmentation": {
        "views": LAYERS,
        "head": {"name": "layer-attention"},
        "loss": PAIRS,
        "clip": {"train_crop": "start", "pair_samples": 6000},
        "augment": NOISE,
        "train": {"draws": 2},
    },
    "whole utterances": {"views": FROZEN, "clip": {"samples": None}},
    "conditioned clips": {
        "views": FROZEN,
        "clip": {"train_crop": "start", "band_hz": [50, 7000], "level_db": -26},
    },
    "balanced draws": {"views": FROZEN, "train": {"draws": 2, "bonafide_share": 0.25}},
    "unfrozen later": {
        "views": {"audio": {"freeze": True}, "text": {"freeze": True, "unfreeze_epoch": 2}},
        "train": {"draws": 2},
    },
    "averaged": {"views": FROZEN, "train": {"draws": 2, "average_best": 2, "ema": 0.9}},
    "windows": {"views": FROZEN, "score": {"parts": "windows"}, "train": {"draws": 1}},
    "bf16": {"views": FROZEN, "train": {"draws": 1, "precision": "bf16"}},
}


def planned(root: Path, folder: str, experiment: Experiment, **changes: Any) -> Any:
    return plan(root, folder, augment=build_augmentations(experiment.augment, {}), **changes)


#: What of the log is never the same twice.
TIMES = ("seconds", "waiting")


def log_of(folder: Path) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in each.items() if key not in TIMES} for each in events]


@pytest.mark.parametrize(("name", "threads"), [(name, 1) for name in CASES] + [("windows", 2)])
def test_training_from_kept_views_is_the_same_to_the_last_bit(tmp_path, name, threads):
    experiment, before = toy_experiment(**CASES[name]), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        train(experiment, planned(tmp_path, "plain", experiment))
        for folder in ("first", "second"):  # what is made, and what is found
            cache = ViewCache(tmp_path / "cache")
            train(experiment, planned(tmp_path, folder, experiment, cache=cache))
            assert same_weights(tmp_path / "plain/best", tmp_path / folder / "best")
            assert same_weights(tmp_path / "plain/last", tmp_path / folder / "last")
            assert log_of(tmp_path / "plain") == log_of(tmp_path / folder), "dev EERs too"
    finally:
        torch.set_num_threads(before)
    assert cache.num_made == 0, "the second training has found all"


@pytest.fixture
def deaf(monkeypatch):
    """After a call, no recording is decoded and no encoder runs."""

    def begin() -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("a recording was decoded or encoded")

        monkeypatch.setattr(dataset, "read_clip", refuse)
        monkeypatch.setattr("amsdf.detector.inference.part_batches.stream_audio", refuse)
        for kind in Encoder.__subclasses__():
            monkeypatch.setattr(kind, "forward", refuse)

    return begin


@pytest.mark.parametrize(
    ("name", "workers"),
    [("random crops", 0), ("averaged", 0), *(("pairs and augmentation", each) for each in (0, 2))],
)
def test_where_all_views_are_kept_nothing_is_decoded_or_encoded(tmp_path, deaf, name, workers):
    experiment = toy_experiment(**CASES[name])
    cache = ViewCache(tmp_path / "cache")
    keep_for_training(experiment, planned(tmp_path, "run", experiment, cache=cache))
    assert cache.num_made and not (tmp_path / "run").exists()
    deaf()
    cache = ViewCache(tmp_path / "cache")
    train(experiment, planned(tmp_path, "run", experiment, cache=cache, workers=workers))
    assert cache.num_made == 0


def test_runs_of_other_seeds_and_heads_find_the_same_views(tmp_path):
    """The encoder starts from a file, as a pretrained one does."""
    experiment = toy_experiment(**CASES["random crops"])
    train(experiment, planned(tmp_path, "first", experiment, cache=ViewCache(tmp_path / "cache")))
    views = {name: {"freeze": True, "pretrained": str(tmp_path / "first/best")} for name in FROZEN}
    for seed, dropout in ((1, 0.0), (2, 0.5)):
        changes = {"views": views, "seed": seed, "head": {"dropout": dropout}}
        experiment = toy_experiment(train={"draws": 2}, **changes)
        cache = ViewCache(tmp_path / "cache")
        train(experiment, planned(tmp_path, f"seed-{seed}", experiment, cache=cache))
        assert cache.num_made == 0


def test_an_unreadable_clip_is_left_out_as_without_a_cache(tmp_path):
    changes = {**CASES["random crops"], "train": {"draws": 2, "bad_clip_tolerance": 2}}
    experiment = toy_experiment(**changes)
    bad = planned(tmp_path, "plain", experiment).train.table["path"][3]
    Path(bad).write_bytes(b"no sound")
    plain = train(experiment, planned(tmp_path, "plain", experiment))
    cache = ViewCache(tmp_path / "cache")
    kept = train(experiment, planned(tmp_path, "kept", experiment, cache=cache))
    assert plain.bad_clips == kept.bad_clips and len(kept.bad_clips) == 1
    assert len(cache.failed) == 2 and bad in cache.failed[0], "once a draw"
    assert same_weights(tmp_path / "plain/best", tmp_path / "kept/best")


def test_a_view_that_is_removed_meanwhile_is_made_again(tmp_path):
    experiment = toy_experiment(**CASES["random crops"])
    train(experiment, planned(tmp_path, "plain", experiment))
    cache = ViewCache(tmp_path / "cache")
    trainer = Trainer(
        experiment,
        planned(tmp_path, "kept", experiment, cache=cache),
        torch_accelerator(tmp_path),
    )
    for path in list((tmp_path / "cache/views").rglob("*.safetensors"))[::5]:
        path.write_bytes(path.read_bytes()[:-8])
    trainer.run_all()
    assert same_weights(tmp_path / "plain/best", tmp_path / "kept/best")


def torch_accelerator(root: Path) -> Any:
    from amsdf.training.distributed import open_accelerator

    return open_accelerator("fp32", (), root)


def test_a_resumed_run_goes_on_with_kept_views(tmp_path):
    experiment = toy_experiment(**CASES["unfrozen later"])
    train(experiment, planned(tmp_path, "whole", experiment))
    cache = ViewCache(tmp_path / "cache")
    short = toy_experiment(**{**CASES["unfrozen later"], "train": {"draws": 2, "epochs": 1}})
    train(short, planned(tmp_path, "parts", short, cache=cache))
    train(experiment, planned(tmp_path, "parts", experiment, cache=cache, resume=True))
    assert same_weights(tmp_path / "whole/last", tmp_path / "parts/last")


def test_crops_that_never_come_again_are_refused(tmp_path):
    experiment = toy_experiment(views=FROZEN)
    with pytest.raises(ValueError, match=r"drawn anew in each epoch.*give --set train\.draws=K"):
        train(experiment, planned(tmp_path, "run", experiment, cache=ViewCache(tmp_path / "cache")))
    with pytest.raises(ValueError, match="none is; give --freeze VIEW"):
        keep_for_training(
            toy_experiment(),
            planned(tmp_path, "run", toy_experiment(), cache=ViewCache(tmp_path / "cache")),
        )
