"""Live sound has the windows of a recording, a verdict a step, and bounded memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from command_line import SMALL, calibrated_detector, toy_detector
from toy_sounds import no_speech, speech

from amsdf.config import Clip
from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.inference.cutting import WindowCutter, cut
from amsdf.scoring.judging.judge import Judge, load
from amsdf.scoring.reference import fit_reference
from amsdf.serving.live.alarm import FORGOTTEN_AFTER, Alarm
from amsdf.serving.live.stream import NO_SPEECH, UNLIKE, LiveJudge, LiveSettings


@pytest.fixture(scope="module")
def judge(tmp_path_factory) -> Judge:
    return load(calibrated_detector(tmp_path_factory.mktemp("live") / "mine"), device="cpu")


def in_pieces(sound, seed=0):
    """Sound as blocks of any length."""
    places = np.sort(np.random.default_rng(seed).integers(0, len(sound), 40))
    return np.split(sound, places)


def listen(live, sound, seed=0):
    return [each for piece in in_pieces(sound, seed) for each in live.feed(piece)] + live.finish()


@pytest.mark.parametrize("seconds", [0.3, 3.0, 6.37])
def test_the_windows_are_those_of_the_recording(judge, seconds):
    sound = speech(seconds).astype(np.float32)
    whole = judge(sound, sampling_rate=SAMPLE_RATE).windows
    found = [each.window for each in listen(LiveJudge(judge), sound) if each.window]
    assert [(each.start, each.end) for each in found] == [(each.start, each.end) for each in whole]
    gaps = [abs(one.score - other.score) for one, other in zip(found, whole, strict=True)]
    assert max(gaps) < 1e-6


def test_how_the_sound_is_cut_into_blocks_changes_nothing(judge):
    sound = speech(5.0).astype(np.float32)
    assert listen(LiveJudge(judge), sound, 1) == listen(LiveJudge(judge), sound, 2)


def test_a_verdict_comes_every_quarter_of_a_second(judge):
    found = LiveJudge(judge).feed(speech(2.1).astype(np.float32))
    assert [each.seconds for each in found] == [0.25 * step for step in range(1, 9)]


def test_the_rolling_score_is_pooled_over_the_last_seconds(judge):
    live = LiveJudge(judge, LiveSettings(span=3.0))
    found = live.feed(speech(9.0).astype(np.float32))
    last = found[-1]
    scores = [
        each.window.score for each in found if each.window and last.seconds - each.window.end < 3.0
    ]
    assert len(scores) > 2 and last.score == pytest.approx(np.mean(scores), abs=1e-9)


def test_silence_and_music_are_not_judged(judge):
    live = LiveJudge(judge, LiveSettings(alarm=0.1))
    sound = np.concatenate([np.zeros(6 * SAMPLE_RATE), no_speech("white noise")]).astype(np.float32)
    found = live.feed(sound)
    assert all(each.probability is None and not each.alarm for each in found)
    assert found[-1].headline == NO_SPEECH and found[-1].decision == "cannot tell"


def test_sound_that_is_unlike_the_training_is_not_judged_and_raises_no_alarm(judge):
    rng = np.random.default_rng(0)
    width = judge.detector.head.embedding_dim
    strange = replace(judge, reference=fit_reference(1e6 + rng.normal(size=(200, width))))
    live = LiveJudge(strange, LiveSettings(alarm=0.1))
    last = live.feed(speech(6.0).astype(np.float32))[-1]
    assert last.headline == UNLIKE and last.probability is None and not last.alarm


def test_where_sound_waits_windows_are_skipped_and_counted(judge):
    live = LiveJudge(judge)
    sound = speech(4.0).astype(np.float32)
    assert not any(each.window for each in live.feed(sound, behind=True))
    assert live.skipped > 0
    again = live.feed(sound)
    assert any(each.window for each in again) and again[-1].skipped == live.skipped


def test_a_machine_that_is_quick_enough_may_score_more_windows(judge):
    live = LiveJudge(judge, LiveSettings(hop=0.25))
    found = live.feed(speech(4.0).astype(np.float32))
    starts = [each.window.start for each in found if each.window]
    assert np.diff(starts).tolist() == [0.25] * (len(starts) - 1)


def test_hours_need_no_more_memory_than_minutes(judge):
    live = LiveJudge(judge, LiveSettings(every=2.0))
    block = speech(20.0).astype(np.float32)
    live.feed(block)
    tracemalloc.start()
    live.feed(block)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(30):  # ten minutes: a list of blocks would be 38 MB
        live.feed(block)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1_000_000 and live.seconds == 640


def test_whole_utterances_and_alarms_without_a_calibration_are_refused(judge, tmp_path):
    with pytest.raises(ValueError, match="has no calibration, so it has no alarms"):
        LiveJudge(replace(judge, calibration=None), LiveSettings(alarm=5.0))
    whole = load(toy_detector(tmp_path / "whole", **SMALL | {"clip": {"samples": None}}))
    with pytest.raises(ValueError, match="listens to whole utterances"):
        LiveJudge(whole)


def test_without_a_calibration_there_are_scores_only(judge):
    last = LiveJudge(replace(judge, calibration=None)).feed(speech(4.0).astype(np.float32))[-1]
    assert last.score is not None and last.probability is None and last.headline == "Cannot tell."


@pytest.mark.parametrize(
    "wrong", [{"every": 0.0}, {"span": 1e9}, {"hop": -1.0}, {"alarm": 0.0}, {"alarm": float("nan")}]
)
def test_times_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"give (seconds|an evidence), from"):
        LiveSettings(**wrong)


def test_the_cutter_keeps_one_window():
    cutter = WindowCutter(Clip(samples=4000), 2000)
    for _ in range(100):
        list(cutter.add(np.ones(1000, np.float32)))
    assert len(cutter._held) <= 5000


@pytest.mark.parametrize("length", [0, 1, 3999, 4000, 4001, 6000, 8000, 9001])
def test_pushed_windows_are_the_pulled_ones(judge, length):
    if not length:
        return
    clip = replace_clip(judge)
    sound = np.arange(1, length + 1, dtype=np.float32)
    pulled = list(cut(np.array_split(sound, 3), clip))
    cutter = WindowCutter(clip.clip, 2000)
    pushed = [part for block in np.array_split(sound, 7) for part in cutter.add(block)]
    pushed += [part for part in [cutter.rest()] if part]
    assert [(each.start, each.end) for each in pushed] == [
        (each.start, each.end) for each in pulled
    ]
    assert [each.last for each in pulled] == [False] * (len(pulled) - 1) + [True]


def replace_clip(judge):
    experiment = judge.detector.experiment
    return experiment.model_copy(update={"clip": Clip(samples=4000)})


def test_an_alarm_begins_at_its_limit_and_ends_when_no_evidence_is_left():
    alarm = Alarm(limit=3.0)
    found = [alarm.step(evidence, 2.0) for evidence in (-9.0, 2.0, 0.0, 1.5, 9.0, -1.0, -2.5, 1.0)]
    assert found == [None, None, None, "begins", None, None, "ends", None]
    assert alarm.share == pytest.approx(1 / 3)


def test_evidence_is_forgotten_where_nothing_can_be_judged_for_long():
    alarm = Alarm(limit=3.0)
    alarm.step(4.0, 2.0)
    assert [alarm.step(None, FORGOTTEN_AFTER / 2) for _ in range(2)] == [None, "ends"]
    alarm.step(2.0, 2.0)
    alarm.step(None, FORGOTTEN_AFTER / 2)
    assert alarm.step(1.0, 2.0) == "begins"


def test_evidence_is_that_of_the_windows_that_count_and_adds_up_to_an_alarm(judge):
    live = LiveJudge(judge, LiveSettings(alarm=2.0))
    found = live.feed(np.concatenate([speech(7.0), 3e-3 * speech(4.0)]).astype(np.float32))
    calibration, total = judge.calibration, 0.0
    for each in found:
        scores = [each.window.score] if each.window and not each.window.quiet else []
        wanted = -calibration.to_llr(scores).sum() if each.probability is not None else None
        assert each.evidence == (wanted and pytest.approx(wanted))
        total = min(2.0, max(0.0, total + (wanted or 0.0)))
        assert each.towards_alarm == pytest.approx(total / 2.0)
    assert any(each.evidence for each in found)
    assert any(each.window and each.window.quiet and each.evidence == 0 for each in found)
