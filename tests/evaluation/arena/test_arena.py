"""`amsdf arena`: the files of a submission, and the adapter that repeats its scores."""

import hashlib
import importlib.util
import json
import sys
from abc import ABC
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from arena_bundles import SAID, SCORES_URL, arena, arena_eer, detector_and_corpus, read_bundle
from command_line import SMALL, refused, toy_detector
from test_recipes import toy
from test_shards import sound
from toys import tone, write_wav

from amsdf.audio.files.reading import read_audio
from amsdf.config import recipe_names
from amsdf.evaluation.arena.documents import RULES
from amsdf.evaluation.arena.rules import META, RESULT, SUBMISSION, problems


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return detector_and_corpus(tmp_path)


# The files


def test_a_bundle_that_says_all_fits_every_rule(capsys, place):
    done = arena(capsys, "mine", "toy/eval", "--out", "b", *SAID)
    assert done.status == 0 and "still needs" not in done.out, done
    found = {name: yaml.safe_load((place / "b" / name).read_text("utf-8")) for name in RULES}
    for name, content in found.items():
        assert problems(content, RULES[name]) == []
    submission = found["submission.yaml"]
    text = (place / "b/scores.txt").read_bytes()
    assert submission["artifact"]["scores_sha256"] == hashlib.sha256(text).hexdigest()
    scores, labels = read_bundle(place / "b")
    assert len(scores) == len(labels) == 8 and list(scores) == list(labels)
    for block in (submission["scores"], found["result.yaml"]["scores"]):
        assert block == {
            "eer_percent": pytest.approx(arena_eer(scores, labels), abs=1e-9),
            "n_trials": 8,
            "n_skipped": 0,
        }
    assert found["result.yaml"]["arena"]["system_url"].endswith("?system=mine")
    assert found["meta.yaml"]["system"] == submission["system"]
    assert "not to the first 64,600 samples alone" in submission["notes"]
    assert "toy/eval: EER" in (place / "b/README.md").read_text("utf-8")


def test_a_file_waits_for_what_only_the_user_knows(capsys, place):
    """No address is made up; a second call scores nothing anew and takes back nothing."""
    done = arena(capsys, "mine", "toy/eval", "--out", "b")
    assert done.status == 0, done
    assert "meta.yaml still needs --code, --checkpoint" in done.out
    assert "result.yaml still needs --arxiv, --dataset, --revision, --scores-url" in done.out
    meta = yaml.safe_load((place / "b/meta.yaml").read_text())
    assert meta["system"]["code"] is meta["system"]["checkpoint"] is None
    assert not (place / "b/submission.yaml").exists()
    result = yaml.safe_load((place / "b/result.yaml").read_text("utf-8"))
    assert result["schema_version"] == 4 and result["artifact"]["scores_url"] is None
    before = (place / "b/scores.txt").read_bytes(), (place / "b/toy__eval.tsv").stat().st_mtime_ns
    assert arena(capsys, "mine", "toy/eval", "--out", "b", *SAID).status == 0
    assert (place / "b/submission.yaml").exists()
    arena(capsys, "mine", "toy/eval", "--out", "b")
    assert not (place / "b/submission.yaml").exists(), "it would say what is no longer said"
    after = (place / "b/scores.txt").read_bytes(), (place / "b/toy__eval.tsv").stat().st_mtime_ns
    assert after == before


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--code", "github.com/me/mine"),
        ("--checkpoint", "mine.pth"),
        ("--slug", "My_Detector"),
        ("--dataset", "toy"),
        ("--revision", "main"),
        ("--scores-url", SCORES_URL.replace("0123abc", "main")),
        ("--arxiv", "https://arxiv.org/abs/2110.01200"),
        ("--hf-user", "me@example.com"),
        ("--contact", " "),
    ],
)
def test_what_breaks_a_rule_is_refused_before_any_work(capsys, place, flag, value):
    line = refused(capsys, "arena", "mine", "toy/eval", "--out", "b", flag, value)
    assert line.startswith(f"amsdf arena: {flag}: {value!r} is not of its form")
    assert not (place / "b").exists()


def test_a_key_too_many_or_too_few_breaks_the_rules():
    result = {
        "schema_version": 1,
        "system": {"name": "a", "slug": "a", "paper": {"arxiv_id": "2110.01200"}},
        "dataset": {"id": "a/b", "revision": "0123abc", "split": "test"},
        "scores": {"eer_percent": 1.5, "n_trials": 2, "n_skipped": 0},
        "arena": {"url": "https://a.b", "system_url": "https://a.b?system=a"},
        "artifact": {"scores_url": SCORES_URL},
    }
    assert problems(result, RESULT) == []
    assert problems({**result, "notes": ""}, RESULT)[0].startswith("notes: is no key of the Arena")
    assert problems({**result, "scores": {"eer_percent": 1.5, "n_trials": 2}}, RESULT) == [
        "scores.n_skipped: is missing"
    ]
    for wrong in (float("nan"), "1.5", True, 101):
        broken = {**result, "scores": {**result["scores"], "eer_percent": wrong}}
        assert len(problems(broken, RESULT)) == 1, wrong
    assert problems([], META) == ["the file: is not a mapping of keys"]
    assert "system: is missing" in problems({}, SUBMISSION)


def test_a_data_set_of_the_arena_keeps_its_ids(capsys, place):
    """Parquet with sound inside, ids in JSON: what its package checks scores against."""
    classes = json.dumps({"info": {"features": {"label": {"names": ["bonafide", "spoof"]}}}})
    names = [f"LA_E_{number}" for number in (11, 12, 13, 14)]
    table = pl.DataFrame(
        {
            "path": [f"{name}.flac" for name in names],
            "audio": [{"bytes": sound(seed), "path": None} for seed in range(4)],
            "label": [0, 1, 1, 0],
            "notes": [json.dumps({"utterance_id": name, "attack": "A07"}) for name in names],
        }
    )
    (place / "InTheWild/data").mkdir(parents=True)
    shard = place / "InTheWild/data/test-00000-of-00001.parquet"
    table.write_parquet(shard, metadata={"huggingface": classes})
    done = arena(capsys, "mine", "InTheWild/test", "--out", "b", *SAID)
    assert done.status == 0, done
    scores, labels = read_bundle(place / "b")
    assert list(scores) == names and list(labels.values()) == [True, False, False, True]


def test_notes_that_are_no_json_name_nothing(capsys, place):
    table = pl.read_csv(place / "toy/manifest.csv").with_columns(notes=pl.lit("a note"))
    table.write_csv(place / "toy/manifest.csv")
    assert arena(capsys, "mine", "toy/eval", "--out", "b").status == 0
    assert next(iter(read_bundle(place / "b")[0])) == "eval_0_bonafide"


# The adapter


class _Model(ABC):  # noqa: B024
    """What the Arena's package has under this name, as far as a subclass needs it."""

    name, expected_sample_rate, batch_size = "unnamed", 16000, 1


@pytest.fixture
def adapter_of(monkeypatch):
    """Import the adapter of a bundle, as that package does."""
    package, module = ModuleType("speech_spoof_bench"), ModuleType("speech_spoof_bench.model")
    module.AntiSpoofingModel = _Model
    monkeypatch.setitem(sys.modules, "speech_spoof_bench", package)
    monkeypatch.setitem(sys.modules, "speech_spoof_bench.model", module)

    def imported(folder: Path):
        spec = importlib.util.spec_from_file_location("adapter", folder / "adapter.py")
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return found.AmsdfModel()

    return imported


@pytest.mark.parametrize("rule", [{}, {"score": {"parts": "windows"}}, {"clip": {"samples": None}}])
def test_the_adapter_gives_the_scores_of_the_bundle(capsys, place, adapter_of, rule):
    """Batches of 1 and of all, for a detector of one clip, of windows and of whole utterances."""
    toy_detector(place / "other", **SMALL, **rule)
    assert arena(capsys, "other", "toy/eval", "--out", "b").status == 0
    scores, _ = read_bundle(place / "b")
    sounds = [read_audio(place / f"toy/audio/{utt}.wav") for utt in scores]
    model = adapter_of(place / "b")
    model.load()
    assert (model.name, model.expected_sample_rate, model.batch_size) == ("other", 16000, 16)
    together = model.score_batch(sounds, [16000] * len(sounds))
    alone = [model.score_batch([sound], [16000])[0] for sound in sounds]
    assert all(type(score) is float for score in together)
    np.testing.assert_allclose(together, list(scores.values()), atol=1e-5)
    np.testing.assert_allclose(alone, list(scores.values()), atol=1e-5)
    with pytest.raises(ValueError, match="give audio at 16000 Hz"):
        model.score_batch(sounds[:1], [8000])
    model.unload()


def test_the_adapter_refuses_another_detector(capsys, place, adapter_of, monkeypatch):
    arena(capsys, "mine", "toy/eval", "--out", "b")
    toy_detector(place / "other", seed=1, **SMALL)
    monkeypatch.setenv("AMSDF_DETECTOR", str(place / "other"))
    with pytest.raises(ValueError, match="the scores are of"):
        adapter_of(place / "b").load()


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_makes_a_bundle(capsys, tmp_path, monkeypatch, adapter_of, name):
    """Untrained and small; its adapter gives its scores."""
    monkeypatch.chdir(tmp_path)
    detector = toy(name)[1]
    if hasattr(detector.loss, "rebuild"):  # a centroid is of the training set
        detector.loss.rebuild([(torch.randn(2, detector.head.embedding_dim), torch.tensor([1, 0]))])
    detector.save_pretrained(tmp_path / name)
    lines = ["utt,path,label"]
    for place in range(4):
        write_wav(tmp_path / f"{place}.wav", tone(100 + 40 * place, seed=place))
        lines.append(f"{place},{place}.wav,{'bonafide' if place % 2 else 'spoof'}")
    (tmp_path / "other.csv").write_text("\n".join(lines) + "\n")
    done = arena(capsys, name, "other.csv", "--out", "b", *SAID)
    assert done.status == 0, done
    scores, labels = read_bundle(tmp_path / "b")
    content = yaml.safe_load((tmp_path / "b/submission.yaml").read_text("utf-8"))
    assert content["scores"]["eer_percent"] == pytest.approx(arena_eer(scores, labels), abs=1e-9)
    model = adapter_of(tmp_path / "b")
    model.load()
    sound = read_audio(tmp_path / "2.wav")
    assert model.score_batch([sound], [16000])[0] == pytest.approx(scores["2"], abs=1e-4)
