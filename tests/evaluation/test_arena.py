"""`amsdf arena`: the files of a submission, and what is refused before anybody ranks it.

Traps: stale result of another model; EER for NaN scores; ids with spaces.
"""

import hashlib
import importlib.util
import sys
from abc import ABC
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from command_line import SMALL, amsdf, refused, toy_detector
from test_recipes import toy
from toys import tone, toy_corpus, write_wav

from amsdf.audio.reading import read_audio
from amsdf.config import recipe_names
from amsdf.detector.detector import Detector
from amsdf.evaluation.arena.documents import RULES
from amsdf.evaluation.arena.rules import META, RESULT, SUBMISSION, problems
from amsdf.metrics.crossing import eer_interpolated

SCORES_URL = "https://huggingface.co/me/mine/resolve/0123abc/scores.txt"
SAID = (
    *("--code", "https://github.com/me/mine", "--checkpoint", "https://huggingface.co/me/mine"),
    *("--arxiv", "2110.01200", "--dataset", "me/toy", "--revision", "1234567"),
    *("--scores-url", SCORES_URL, "--hf-user", "me", "--contact", "me@example.com"),
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A detector that was trained on toy/train and chosen on toy/dev, and the corpus."""
    monkeypatch.chdir(tmp_path)
    toy_detector(tmp_path / "mine", **SMALL)
    toy_corpus(tmp_path / "toy", clips=4)
    return tmp_path


def arena(capsys, *words):
    return amsdf(capsys, "arena", *words, "--quiet")


def arena_eer(scores: dict[str, float], labels: dict[str, int]) -> float:
    """EER in percent, walking every threshold with exact counts; 1 = bona fide."""
    real = [scores[utt] for utt, label in labels.items() if label == 1]
    fake = [scores[utt] for utt, label in labels.items() if label == 0]
    before = (1.0, 0.0)
    for threshold in sorted({*real, *fake}):
        far = sum(score >= threshold for score in fake) / len(fake)
        frr = sum(score < threshold for score in real) / len(real)
        if far <= frr:
            share = (before[0] - before[1]) / (before[0] - before[1] - far + frr)
            return 100 * (before[1] + share * (frr - before[1]))
        before = (far, frr)
    return 100 * (before[0] + before[1]) / 2


def read_bundle(folder: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Scores as a stranger reads them: two words a line; and the labels of the score file."""
    lines = (folder / "scores.txt").read_text("utf-8").splitlines()
    scores = {utt: float(score) for utt, score in (line.split() for line in lines)}
    table = pl.read_csv(
        next(path for path in folder.glob("*.tsv") if path.name != "failed.tsv"),
        separator="\t",
        comment_prefix="# amsdf",
        infer_schema=False,
    )
    return scores, dict(zip(table["utt"], table["label"] == "bonafide", strict=True))


# The figure


@pytest.mark.parametrize("seed", range(20))
def test_eer_is_that_of_a_walk_over_all_thresholds(seed):
    """With ties, few trials, and one class far above the other."""
    rng = np.random.default_rng(seed)
    real = rng.normal(rng.uniform(-1, 2), 1, int(rng.integers(1, 40))).round(int(seed % 3))
    fake = rng.normal(0, 1, int(rng.integers(1, 40))).round(int(seed % 3))
    names = [str(place) for place in range(len(real) + len(fake))]
    scores = dict(zip(names, [*real, *fake], strict=True))
    labels = dict(zip(names, [1] * len(real) + [0] * len(fake), strict=True))
    assert 100 * eer_interpolated(real, fake).rate == pytest.approx(
        arena_eer(scores, labels), abs=1e-12
    )


def test_eer_by_hand():
    assert eer_interpolated([1, 1], [0, 0]).rate == 0
    assert eer_interpolated([0, 0], [1, 1]).rate == 1
    assert eer_interpolated([0, 1, 2], [0, 1, 2]).rate == pytest.approx(1 / 2)
    assert eer_interpolated([1, 2, 3, 4], [0, 1, 2]).rate == pytest.approx(2 / 7)
    assert eer_interpolated([5], [5]).rate == 0.5  # the rates never cross: (1 + 0) / 2


@pytest.mark.filterwarnings("error")
def test_scores_near_the_largest_number_do_not_overflow():
    found = eer_interpolated([1e308, -1e308], [-1e308, 1e308, -1e308])
    assert np.isfinite(found).all()


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
    assert not (place / "b/meta.yaml").exists() and not (place / "b/submission.yaml").exists()
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


# What is refused


def test_ids_that_white_space_would_split_are_refused(capsys, place):
    table = pl.read_csv(place / "toy/manifest.csv")
    for utt in ("a b", "a\u00a0b", " a"):
        odd = table.with_columns(utt=pl.col("utt").replace("eval_1_spoof", utt))
        odd.write_csv(place / "toy/manifest.csv")
        line = refused(capsys, "arena", "mine", "toy/eval", "--out", "b")
        assert f"1 ids are empty or hold white space, first {utt!r}" in line
    assert not (place / "b").exists()


@pytest.mark.parametrize(
    ("corpus", "what"), [("toy/train", "trained"), ("toy/dev", "chosen"), ("toy", "trained")]
)
def test_a_corpus_that_the_detector_knows_is_refused(capsys, place, corpus, what):
    line = refused(capsys, "arena", "mine", corpus, "--out", "b")
    assert f"{corpus}: mine was {what} on toy/" in line and not (place / "b").exists()


def test_one_class_is_refused(capsys, place):
    table = pl.read_csv(place / "toy/manifest.csv").filter(pl.col("label") == "spoof")
    table.write_csv(place / "toy/fakes.csv")
    line = refused(capsys, "arena", "mine", "toy/fakes.csv", "--out", "b")
    assert "0 bona fide and 12 spoof utterances" in line


def test_results_of_another_detector_or_corpus_are_refused(capsys, place):
    """Trap 'stale result of another model'."""
    arena(capsys, "mine", "toy/eval", "--out", "b")
    before = (place / "b/scores.txt").read_bytes()
    toy_detector(place / "other", seed=1, **SMALL)
    line = refused(capsys, "arena", "other", "toy/eval", "--out", "b")
    assert "b: holds scores of another detector" in line
    line = refused(capsys, "arena", "mine", "toy/eval", "--out", "b", "--score-rule", "published")
    assert "b: holds scores of another score_rule" in line
    table = pl.read_csv(place / "toy/manifest.csv")
    table.filter(pl.col("split") == "eval").write_csv(place / "more.csv")
    assert "holds toy__eval.tsv" in refused(capsys, "arena", "mine", "more.csv", "--out", "b")
    table.filter(pl.col("utt") != "eval_0_spoof").write_csv(place / "toy/manifest.csv")
    line = refused(capsys, "arena", "mine", "toy/eval", "--out", "b")
    assert "another version of the corpus" in line
    assert (place / "b/scores.txt").read_bytes() == before
    (place / "c").mkdir()
    (place / "c/result.yaml").write_text("{}")
    line = refused(capsys, "arena", "mine", "toy/eval", "--out", "c")
    assert "c: holds result.yaml without its scores" in line


def test_scores_that_are_no_numbers_are_refused(capsys, place, monkeypatch):
    """Trap 'EER for NaN scores'."""
    embed = Detector.embed
    monkeypatch.setattr(
        Detector, "embed", lambda *given, **named: embed(*given, **named) * float("nan")
    )
    line = refused(capsys, "arena", "mine", "toy/eval", "--out", "b", "--quiet")
    assert "8 scores are not finite numbers, first of 'eval_0_bonafide'" in line
    assert not (place / "b/scores.txt").exists()


def test_a_few_clips_may_be_skipped_and_not_more(capsys, place):
    """5 % is the Arena's own limit; trials are scored and skipped ones together."""
    toy_corpus(place / "big", clips=10)
    (place / "big/audio/eval_3_spoof.wav").write_bytes(b"no sound")
    done = arena(capsys, "mine", "big/eval", "--out", "b", *SAID)
    assert done.status == 1 and "1 skipped" in done.out, done
    content = yaml.safe_load((place / "b/submission.yaml").read_text("utf-8"))
    assert (content["scores"]["n_trials"], content["scores"]["n_skipped"]) == (20, 1)
    assert len(read_bundle(place / "b")[0]) == 19
    (place / "big/audio/eval_4_spoof.wav").write_bytes(b"no sound")
    line = refused(capsys, "arena", "mine", "big/eval", "--out", "c", "--quiet")
    assert "big/eval: 2 of 20 clips could not be scored, more than 5 %" in line
    assert not (place / "c/scores.txt").exists()
