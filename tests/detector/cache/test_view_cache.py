"""Kept views in scoring, and what makes others of them: weights, sound, settings, formats."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from toys import RATE, tone, toy_experiment, toy_manifest, write_wav

from amsdf.data.dataset import TrainingTransform
from amsdf.data.manifest import Manifest, build_manifest
from amsdf.detector.cache.audio_digests import FILE, AudioDigests
from amsdf.detector.cache.keys import EncoderKey
from amsdf.detector.cache.store import Kept, ViewStore
from amsdf.detector.cache.upkeep import held, prune
from amsdf.detector.cache.view_cache import ViewCache
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_rows

FROZEN = {"audio": {"freeze": True}, "text": {"freeze": True}}
HALF = {"text": {"freeze": True}}
RULES: dict[str, dict[str, Any]] = {
    "first": {"views": FROZEN},
    "windows": {"views": FROZEN, "score": {"parts": "windows", "hop": 0.3}},
    "whole": {"views": FROZEN, "clip": {"samples": None}},
    "a view that learns": {"views": HALF, "score": {"parts": "windows"}},
}


def detector_of(**changes: Any) -> Detector:
    torch.manual_seed(0)
    return Detector.build(toy_experiment(**changes)).eval()


def scores_of(
    detector: Detector, manifest: Manifest, cache: ViewCache | None = None, **settings: Any
) -> dict[int, float]:
    found: dict[int, float] = {}
    how = ScoreSettings(**{"batch_size": 3, **settings}, cache=cache)
    for rows, scores, _ in score_rows(detector, manifest, range(len(manifest)), how):
        found |= dict(zip(rows, scores, strict=True))
    return found


@pytest.fixture
def manifest(tmp_path) -> Manifest:
    return toy_manifest(tmp_path / "toy", "eval", clips=4)


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("settings", [{}, {"workers": 2}, {"precision": "bf16"}])
def test_scores_are_those_without_a_cache_to_the_last_bit(tmp_path, manifest, rule, settings):
    detector = detector_of(**RULES[rule])
    plain = scores_of(detector, manifest, **settings)
    for _ in range(2):
        cache = ViewCache(tmp_path / "cache")
        assert scores_of(detector, manifest, cache, **settings) == plain
    assert cache.num_made == 0, "the second time, all is found"


def test_where_all_views_are_kept_no_recording_is_opened(tmp_path, manifest, monkeypatch):
    detector = detector_of(**RULES["windows"])
    expected = scores_of(detector, manifest, ViewCache(tmp_path / "cache"))
    monkeypatch.setattr("amsdf.detector.inference.part_batches.stream_audio", None)
    assert scores_of(detector, manifest, ViewCache(tmp_path / "cache")) == expected


def test_segments_of_one_recording_are_kept_apart(tmp_path):
    path = write_wav(tmp_path / "long.wav", np.concatenate([tone(p, 1.0) for p in (100, 170, 240)]))
    rows = {
        "path": [str(path)] * 3,
        "label": ["spoof"] * 3,
        "utt": list("abc"),
        "start": [0.0, 1.0, 2.0],
        "end": [1.0, 2.0, 3.0],
    }
    segments = build_manifest("segments", pl.DataFrame(rows))
    detector = detector_of(**RULES["first"])
    found = scores_of(detector, segments, ViewCache(tmp_path / "cache"))
    assert found == scores_of(detector, segments) and len(set(found.values())) == 3
    assert len((tmp_path / "cache" / FILE).read_text().split()) >= 1, "hashed once"
    assert (tmp_path / "cache" / FILE).read_text().count("long.wav") == 1


def test_what_cannot_be_read_is_set_aside_and_the_rest_is_kept(tmp_path, manifest):
    Path(manifest.table["path"][2]).write_bytes(b"no sound")
    detector, cache = detector_of(**RULES["windows"]), ViewCache(tmp_path / "cache")
    found = scores_of(detector, manifest, cache)
    assert found == scores_of(detector, manifest) and len(found) == len(manifest) - 1
    assert len(cache.failed) == 1
    scores_of(detector, manifest, cache)
    assert len(cache.failed) == 1, "it is not tried twice in a process"


# What is another view


def kept_anew(tmp_path: Path, detector: Detector, manifest: Manifest) -> int:
    """How many clips are encoded for these scores, which are the right ones."""
    cache = ViewCache(tmp_path / "cache")
    assert scores_of(detector, manifest, cache) == scores_of(detector, manifest)
    return cache.num_made


def test_other_weights_are_noticed(tmp_path, manifest):
    detector = detector_of(**RULES["first"])
    assert kept_anew(tmp_path, detector, manifest) == 8
    with torch.no_grad():
        next(detector.encoder("text").parameters()).add_(0.1)
    assert kept_anew(tmp_path, detector, manifest) == 8, "the digest is not that of before"
    assert kept_anew(tmp_path, detector, manifest) == 0


def test_the_head_and_the_seed_make_no_difference(tmp_path, manifest):
    kept_anew(tmp_path, detector_of(**RULES["first"]), manifest)
    detector = detector_of(**RULES["first"], head={"dropout": 0.5}, seed=3)
    assert kept_anew(tmp_path, detector, manifest) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"clip": {"samples": 7000}},
        {"clip": {"short": "zero"}},
        {"clip": {"eval_crop": "centre"}},
        {"clip": {"level_db": -26}},
        {"views": {**FROZEN, "text": {"freeze": True, "normalize": False}}},
    ],
)
def test_other_settings_are_noticed(tmp_path, manifest, changes):
    kept_anew(tmp_path, detector_of(**RULES["first"]), manifest)
    torch.manual_seed(0)
    assert kept_anew(tmp_path, detector_of(**{**RULES["first"], **changes}), manifest) == 8


def test_other_code_of_an_encoder_is_noticed(monkeypatch):
    detector = detector_of(**RULES["first"])
    before = EncoderKey.of(detector, "text", "fp32", "fp32")
    monkeypatch.setattr("amsdf.detector.cache.keys.inspect.getsourcefile", lambda _: __file__)
    assert EncoderKey.of(detector, "text", "fp32", "fp32").folder != before.folder


def change_content(path: Path) -> None:
    """Same size, and the time of the last change set back."""
    state = path.stat()
    content = bytearray(path.read_bytes())
    content[1000:3000] = content[5000:7000]
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "encoded"),
    [
        (change_content, 1),
        (lambda path: write_wav(path, tone(300, 1.1)), 1),
        (lambda path: os.utime(path, ns=(0, 0)), 0),
    ],
    ids=["content", "size", "time alone"],
)
def test_a_changed_recording_is_noticed(tmp_path, manifest, change, encoded):
    detector = detector_of(**RULES["first"])
    kept_anew(tmp_path, detector, manifest)
    change(Path(manifest.table["path"][1]))
    assert kept_anew(tmp_path, detector, manifest) == encoded


def test_a_moved_recording_is_known_by_its_content(tmp_path, manifest):
    detector = detector_of(**RULES["first"])
    kept_anew(tmp_path, detector, manifest)
    for path in map(Path, manifest.table["path"]):
        path.rename(path.with_name(f"moved-{path.name}"))
    moved = pl.col("path").str.replace("eval_", "moved-eval_")
    table = manifest.table.with_columns(moved)
    assert kept_anew(tmp_path, detector, Manifest("moved", table)) == 0


def test_recordings_are_hashed_once_and_a_line_that_was_cut_off_is_no_harm(tmp_path, monkeypatch):
    path = str(write_wav(tmp_path / "a.wav", tone(100)))
    (digest,) = AudioDigests(tmp_path).of([path])
    with (tmp_path / FILE).open("a") as file:
        file.write('["/some/where.wav", [1, 2')
    other = str(write_wav(tmp_path / "b.wav", tone(200)))
    assert AudioDigests(tmp_path).of([path, other, "none.wav"])[::2] == [digest, ""]
    monkeypatch.setattr("amsdf.detector.cache.audio_digests.digest_of_recording", None)
    assert len(set(AudioDigests(tmp_path).of([path, other]))) == 2


# Number formats, limits, upkeep


@pytest.mark.parametrize(("stored", "most"), [("fp16", 2e-3), ("bf16", 2e-2)])
def test_a_smaller_format_says_its_error(tmp_path, manifest, stored, most):
    detector = detector_of(**RULES["first"])
    exact, small = ViewCache(tmp_path / "exact"), ViewCache(tmp_path / "small", stored)
    expected = scores_of(detector, manifest, exact)
    found = scores_of(detector, manifest, small)
    differences = [abs(found[row] - expected[row]) for row in expected]
    assert 0 < max(differences) < 0.05
    for one, other in zip(held(exact.store), held(small.store), strict=True):
        assert one.error == 0 and 0 < other.error < most
        assert one.views == other.views == 8 and one.size > 1.6 * other.size
    assert scores_of(detector, manifest, ViewCache(tmp_path / "small")) == expected, "made anew"


def test_values_that_a_format_cannot_hold_are_refused(tmp_path):
    kept = Kept(torch.tensor([[1e6]]), {})
    ViewStore(tmp_path).write("e", "k", kept, "bf16")
    with pytest.raises(ValueError, match="too large for fp16; give --cache-dtype bf16 or fp32"):
        ViewStore(tmp_path).write("e", "k", kept, "fp16")


def test_the_size_is_estimated_before_the_start(tmp_path, manifest):
    detector = detector_of(**RULES["windows"])
    cache = ViewCache(tmp_path / "cache", limit=100_000)
    with pytest.raises(ValueError, match=r"of 8 clips of toy/eval take about 0\.00\d+ GB"):
        scores_of(detector, manifest, cache)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
    unlimited = ViewCache(tmp_path / "cache")
    scores_of(detector, manifest, unlimited)
    size = sum(each.size for each in held(unlimited.store))
    limited = ViewCache(tmp_path / "again", limit=int(size * 1.05))
    scores_of(detector, manifest, limited)
    with pytest.raises(ValueError, match="give a larger --limit"):
        scores_of(detector, manifest, ViewCache(tmp_path / "third", limit=int(size * 0.5)))


def test_the_longest_unused_views_go_first(tmp_path, manifest):
    detector, cache = detector_of(**RULES["first"]), ViewCache(tmp_path / "cache")
    scores_of(detector, manifest, cache)
    files = sorted(cache.store.folder.rglob("*.safetensors"))
    for file in files:
        os.utime(file, (1000, 1000))
    score = ScoreSettings(cache=ViewCache(tmp_path / "cache"))
    list(score_rows(detector, manifest, [0, 1, 2], score))  # three rows of two encoders are used
    assert prune(cache.store, unused_since=2000)[0] == len(files) - 6
    left = sum(each.size for each in held(cache.store))
    removed, size = prune(cache.store, most_bytes=left // 2)
    assert 0 < removed < 6 and left - size <= left // 2
    name = cache.store.encoders()[0]
    prune(cache.store, encoder=name)
    assert name not in cache.store.encoders()
    with pytest.raises(ValueError, match="no encoder 'x' in it"):
        prune(cache.store, encoder="x")
    assert scores_of(detector, manifest, ViewCache(tmp_path / "cache")) == scores_of(
        detector, manifest
    )


def test_a_crop_at_the_start_and_a_scored_part_are_kept_once(tmp_path, manifest):
    changes = {"views": FROZEN, "clip": {"train_crop": "start"}}
    detector, cache = detector_of(**changes), ViewCache(tmp_path / "cache")
    cache.crops(detector, manifest, TrainingTransform(1))
    assert kept_anew(tmp_path, detector, manifest) == 0


def test_about_says_what_made_the_views(tmp_path, manifest):
    detector, cache = detector_of(**RULES["first"]), ViewCache(tmp_path / "cache")
    scores_of(detector, manifest, cache)
    (about,) = [
        json.loads((cache.store.folder / name / "about.json").read_text())
        for name in cache.store.encoders()
        if name.startswith("xlsr")
    ]
    assert about["settings"]["hidden"] == 16 and about["stored"] == about["precision"] == "fp32"
    assert "threads" in about["made_with"] and RATE == 16_000
