"""One recording, one verdict: however the recording is given, and in words for a lay person."""

import io
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from command_line import SMALL, calibrated_detector, toy_detector
from toy_sounds import no_speech, speech
from toys import tone

import amsdf
from amsdf.audio import stream_audio
from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.inference import scores as inference
from amsdf.detector.inference.windows import parts_of
from amsdf.scoring.judging.judge import Judge, load
from amsdf.scoring.judging.verdict import Verdict
from amsdf.scoring.reference import fit_reference


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A detector whose calibration says that half of its scores are real."""
    return calibrated_detector(tmp_path_factory.mktemp("judge") / "mine")


@pytest.fixture(scope="module")
def judge(folder) -> Judge:
    return load(folder)


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, speech(2.2), SAMPLE_RATE, subtype="FLOAT")
    return path


def test_the_same_recording_has_the_same_score_however_it_is_given(judge, clip):
    verdict = judge(clip)
    samples, rate = soundfile.read(clip, dtype="float32")
    ways = [
        judge(str(clip)),
        judge(clip.read_bytes()),
        judge(io.BytesIO(clip.read_bytes())),
        judge(samples, sampling_rate=rate),
        judge(torch.from_numpy(samples)[None], sampling_rate=rate),
    ]
    assert all(way == verdict for way in ways)


def test_a_verdict_says_all_of_it(judge, clip):
    verdict = judge(clip)
    assert verdict.detector.name == "mine" and verdict.detector.trained_on == ("toy/train",)
    assert verdict.detector.dev.num_bonafide == 20 and verdict.warnings == ()
    assert verdict.score == pytest.approx(np.mean([w.score for w in verdict.windows]))
    assert verdict.decision == verdict.operating_point.decide(verdict.probability)
    assert json.loads(verdict.to_json())["windows"][0]["end"] == 0.5
    assert verdict._repr_html_().startswith(f"<p><b>{verdict.lines()[0]}</b>")
    assert f"score {verdict.score:.4f}" in "\n".join(verdict.lines(verbose=True))


def test_windows_say_where_they_are(judge):
    verdict = judge(tone(100, seconds=20_001 / SAMPLE_RATE).astype(np.float32), 16_000)
    starts = [0, 4000, 8000, 12_000, 12_001]
    assert [window.start for window in verdict.windows] == [s / 16_000 for s in starts]
    assert verdict.windows[-1].end == verdict.seconds == 20_001 / 16_000


def test_a_splice_at_the_very_end_is_listened_to(judge):
    """The last window is scored: another ending, another score."""
    real = tone(120, seconds=1.3, seed=1).astype(np.float32)
    spliced = real.copy()
    spliced[-600:] = 0.9 * np.sign(spliced[-600:])
    before, after = judge(real, 16_000), judge(spliced, 16_000)
    assert before.windows[:-2] == after.windows[:-2]
    assert before.windows[-1].score != after.windows[-1].score != before.score


def test_without_a_calibration_nothing_is_decided(tmp_path, clip):
    verdict = load(toy_detector(tmp_path / "bare", **SMALL))(clip)
    assert verdict.probability is None and verdict.decision == "cannot tell"
    assert verdict.reason == "The detector is not calibrated, so its score only ranks."
    assert verdict.flagged == () and verdict.windows[0].probability is None


def test_a_score_at_the_threshold_is_a_fake(judge, clip):
    """As everywhere else: accepted above the threshold."""
    score = judge(clip).score
    for threshold, decision in ((score, "fake"), (score - 1e-6, "real")):
        calibration = replace(judge.calibration, thresholds={"eer": threshold})
        named = replace(judge, calibration=calibration, threshold="eer")
        assert named(clip).decision == decision


def test_a_very_short_recording_is_warned_about(judge):
    verdict = judge(tone(100, seconds=0.2).astype(np.float32), 16_000)
    assert verdict.reason == "The recording lasts 0.20 s; 1 s of speech is needed."
    (warning,) = verdict.warnings
    assert warning == "it lasts 0.2 s; the detector listens to 0.5 s at a time"


@pytest.mark.parametrize(("crop", "place"), [("start", "first"), ("centre", "middle")])
def test_what_is_not_listened_to_is_said(tmp_path, clip, crop, place):
    judge = load(toy_detector(tmp_path / crop, **SMALL, clip={"eval_crop": crop}))
    (warning,) = judge(clip).warnings
    seconds = len(speech(2.2)) / SAMPLE_RATE
    assert warning == f"it lasts {seconds:.1f} s; the detector listened to the {place} 0.5 s only"
    assert judge(tone(100, seconds=0.6).astype(np.float32), 16_000).warnings == ()


@pytest.mark.parametrize(
    ("given", "rate", "reason"),
    [
        ("no/such.wav", None, "no/such.wav: no such file"),
        (b"", None, "the recording: has zero bytes"),
        (np.zeros(16_000, np.float32), 16_000, "is digital silence"),
        (np.full(16_000, np.nan), 16_000, "16000 samples are NaN"),
        (np.zeros(0), 16_000, "has no samples"),
        (np.ones(16_000), None, "without sampling_rate="),
        (b"RIFF", 16_000, "a file says its own rate"),
    ],
)
def test_what_nobody_can_judge_is_refused(judge, given, rate, reason):
    with pytest.raises(ValueError, match=reason):
        judge(given, rate)


def test_without_speech_nothing_is_decided(judge):
    """A score there is, and no part of it is called fake."""
    verdict = judge(no_speech("plucked strings", 4.0).astype(np.float32), 16_000)
    assert verdict.decision == "cannot tell" and verdict.score is not None
    assert verdict.reason == "No speech is found in the recording." and verdict.flagged == ()


def test_a_silent_window_without_a_score_spoils_nothing(judge, monkeypatch):
    """Some detectors have no finite score for silence; it does not count anyway."""
    score_batch = inference.score_batch

    def without_silence(detector, waveform, *given):
        scores, embeddings = score_batch(detector, waveform, *given)
        loud = waveform.abs().amax(dim=1) > 0
        return [s if heard else np.nan for s, heard in zip(scores, loud, strict=True)], embeddings

    monkeypatch.setattr(inference, "score_batch", without_silence)
    sound = speech(2.0).astype(np.float32)
    verdict = judge(np.concatenate([sound, np.zeros(16_000, np.float32)]), 16_000)
    assert np.isfinite(verdict.score) and all(np.isfinite(w.score) for w in verdict.windows)
    assert verdict.windows[-1].end < verdict.seconds


def test_what_is_unlike_the_training_clips_is_not_decided(judge, clip):
    """Most windows decide: an unlike moment is no reason to refuse a recording."""
    waveform = torch.from_numpy(soundfile.read(clip, dtype="float32")[0])
    near = judge.detector.embed(parts_of(waveform, judge.detector.experiment)[0]).detach().numpy()
    for shift, unlike in ((0.0, False), (9.0, True)):
        knowing = replace(judge, reference=fit_reference(near + shift, near + shift))
        verdict = knowing(clip)
        assert verdict.reason.startswith("The recording is unlike what") == unlike
        assert verdict.score == judge(clip).score
        if unlike:
            assert verdict.decision == "cannot tell" and verdict.flagged == ()


def test_a_file_that_is_cut_off_is_judged_and_says_so(judge, clip):
    content = clip.read_bytes()
    assert "the file is cut off: it announces" in judge(content[:60_000]).warnings[-1]
    assert not judge(content).warnings


def test_blocks_can_be_watched(judge, clip):
    seen = []

    def watch(stream):
        for block in stream:
            seen.append(len(block))
            yield block

    assert judge.judge_stream(stream_audio(clip), watch) == judge(clip)
    assert sum(seen) == len(soundfile.read(clip)[0])


def test_an_hour_needs_no_more_memory_than_a_minute(judge):
    """Blocks are forgotten when their windows are scored."""
    sound = speech(4.0).astype(np.float32)
    peaks = []
    for blocks in (10, 40):
        judge.judge_blocks(sound.copy() for _ in range(2))
        tracemalloc.start()
        judge.judge_blocks(sound.copy() for _ in range(blocks))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 600_000, "30 blocks more are 7.7 MB"


def test_load_opens_runs_folders_and_names(folder, monkeypatch):
    assert load(str(folder), threshold="cost").threshold == "cost"
    with pytest.raises(ValueError, match="no threshold named 'far-2%'"):
        load(folder, threshold="far-2%")
    with pytest.raises(ValueError, match="no-such: does not exist; give a run folder"):
        amsdf.load("no-such")
    monkeypatch.setenv("AMSDF_PRETRAINED", str(folder.parent))
    assert amsdf.load("mine").name == "mine", "a name in the folder of pretrained models"


def test_scoring_keeps_no_graph_and_leaves_dropout_out(folder, clip):
    """Two passes are equal, and a hundred of them hold no memory of each other."""
    judge = load(folder)
    judge.detector.train()
    scores = {round(judge(clip).score, 6) for _ in range(3)}
    assert len(scores) == 1
    assert isinstance(judge(clip), Verdict)
    tracemalloc.start()
    score = judge.detector.eval().score(torch.randn(2, 8000))
    tracemalloc.stop()
    assert not score.requires_grad
