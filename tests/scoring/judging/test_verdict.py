"""A verdict in words that a lay person understands, and that never contradict each other."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from toy_sounds import speech

from amsdf.audio.speech import hear
from amsdf.scoring.calibration.points import DevFigures, OperatingPoint
from amsdf.scoring.judging.deciding import Findings, Grounds, chance_in_words, decide, verdict_on
from amsdf.scoring.judging.verdict import (
    DetectorFacts,
    Span,
    Verdict,
    Window,
    clock,
    duration,
    join_spans,
    places,
)


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1.0, "not machine-made is over 99 in 100."),
        (0.93, "not machine-made is 93 in 100."),
        (0.5, "not machine-made is 50 in 100."),
        (0.2, "is machine-made is 80 in 100."),
        (0.0, "is machine-made is over 99 in 100."),
    ],
)
def test_a_chance_is_of_what_is_more_probable(probability, words):
    assert chance_in_words(probability).endswith(words)


def test_a_chance_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"1\.5 is not between 0 and 1"):
        chance_in_words(1.5)


def test_windows_that_touch_are_one_span():
    windows = [Window(start, start + 2.0, 0.0) for start in (0.0, 1.0, 3.0, 7.0)]
    assert join_spans(windows) == (Span(0.0, 5.0), Span(7.0, 9.0))
    assert join_spans([]) == ()


def test_many_places_are_counted():
    spans = [Span(float(at), at + 0.5) for at in range(5)]
    assert places(spans[:2]) == "0:00.0 to 0:00.5, 0:01.0 to 0:01.5"
    assert places(spans) == "0:00.0 to 0:00.5, 0:01.0 to 0:01.5, 0:02.0 to 0:02.5, and 2 more"


def test_times_are_those_of_a_player():
    assert [clock(at) for at in (4.52, 59.96, 83.0, 3724)] == [
        *("0:04.5", "1:00.0", "1:23.0", "1:02:04.0")
    ]
    assert [duration(for_) for for_ in (2.34, 330, 4980)] == ["2.3 s", "5 min 30 s", "1 h 23 min"]


POINT = OperatingPoint("default", 0.2, 0.6)
#: Outcome -> the evidence, the decision, how the first line begins.
OUTCOMES = {
    "real": (
        Grounds(0.9, POINT),
        "real",
        "Probably real speech. The chance that the speech is",
    ),
    "surely real": (Grounds(0.999, POINT), "real", "Very probably real speech."),
    "just real": (Grounds(0.6, POINT), "real", "Probably real speech."),
    "fake": (Grounds(0.1, POINT), "fake", "Probably fake. The chance that the speech is machine-"),
    "surely fake": (Grounds(0.001, POINT), "fake", "Very probably fake."),
    "just fake": (Grounds(0.2, POINT), "fake", "Probably fake."),
    "weak": (Grounds(0.4, POINT), "cannot tell", "Cannot tell. The evidence is too weak. The"),
    "no speech": (
        *(Grounds(0.9, POINT, ["no speech is found"]), "cannot tell"),
        "Cannot tell. No speech is found.",
    ),
    "unlike": (
        *(Grounds(0.1, POINT, unlike=True), "cannot tell"),
        "Cannot tell. The recording is unlike what the detector was trained on.",
    ),
    "mixed": (
        *(Grounds(0.9, POINT, mixed=True), "cannot tell"),
        "Cannot tell. Most of it sounds like real speech, and a part sounds machine-made.",
    ),
    "mixed, and mostly fake": (Grounds(0.1, POINT, mixed=True), "fake", "Probably fake."),
    "not calibrated": (
        *(Grounds(None, None), "cannot tell"),
        "Cannot tell. The detector is not calibrated, so its score only ranks.",
    ),
}


def verdict_of(evidence: Grounds) -> Verdict:
    decision, reason = decide(evidence)
    return Verdict(
        decision=decision,
        reason=reason,
        score=0.5,
        probability=evidence.probability,
        seconds=8.0,
        windows=(Window(0.0, 4.0, 0.2, 0.1), Window(4.0, 8.0, 0.8, 0.9)),
        flagged=(Span(0.0, 4.0),) if decision != "cannot tell" else (),
        warnings=("3 % of the samples are clipped",),
        operating_point=evidence.point,
        detector=DetectorFacts("mine", ("a", "b"), DevFigures(9, 8, 0.2, 0.1, 0.3, ("c",))),
    )


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_said_in_words_for_lay_people(outcome):
    evidence, decision, first = OUTCOMES[outcome]
    verdict = verdict_of(evidence)
    lines = verdict.lines()
    assert verdict.decision == decision and lines[0].startswith(first)
    text = str(verdict)
    for word in ("accepted", "rejected", "threshold", "bona fide", "spoof", "score 0", "person"):
        assert word not in text
    assert ("not a proof" in text) == (decision != "cannot tell")
    assert lines[-1] == "Note: 3 % of the samples are clipped."
    assert all(line[0].isupper() and line.endswith(".") for line in lines)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_two_lines_contradict_each_other(outcome):
    """What is called real is not called probably machine-made one line below."""
    evidence, decision, _ = OUTCOMES[outcome]
    first = verdict_of(evidence).lines()[0]
    if decision == "real":
        assert "is not machine-made" in first and "fake" not in first
    if decision == "fake":
        assert "is machine-made" in first and "real" not in first
    if evidence.obstacles or evidence.unlike:
        assert "chance" not in first, "a probability beside 'cannot tell' would be believed"


def test_what_is_flagged_is_said_once():
    """A single window is no place, and all of a recording is no part of it."""
    fake, real = (verdict_of(OUTCOMES[outcome][0]) for outcome in ("fake", "real"))
    assert "These parts sound machine-made: 0:00.0 to 0:04.0." in fake.lines()
    assert "Some parts, taken alone, sound machine-made: 0:00.0 to 0:04.0." in real.lines()
    whole = replace(fake, flagged=(Span(0.0, 8.0),))
    assert "All of it sounds machine-made." in whole.lines()
    assert len(replace(fake, windows=fake.windows[:1]).lines()) == len(fake.lines()) - 1


def test_a_chosen_threshold_decides_over_a_long_fake_part():
    hearing = hear([np.float32(speech(8.0))])
    windows = (Window(0.0, 2.0, 0.2, 0.1), Window(2.0, 4.0, 0.2, 0.1), Window(4.0, 8.0, 0.8, 0.9))
    findings = Findings(0.5, 0.9, windows, hearing)
    mixed = verdict_on(findings, POINT, DetectorFacts("mine"))
    assert mixed.decision == "cannot tell" and mixed.reason.startswith("Most of it sounds like")
    chosen = verdict_on(replace(findings, own_threshold=True), POINT, DetectorFacts("mine"))
    assert chosen.decision == "real" and chosen.flagged == mixed.flagged == (Span(0.0, 4.0),)


def test_engineers_get_their_figures():
    verdict = verdict_of(OUTCOMES["fake"][0])
    text = "\n".join(verdict.lines(verbose=True)[len(verdict.lines()) :])
    for words in (
        "score 0.5000; higher is more bona fide",
        "probability 0.1000; operating point 'default': fake up to 0.2000, real from 0.6000",
        "2 windows; the lowest score 0.2000 is at 0.0 s",
        "detector mine, trained on a, b",
        "calibrated on c: 9 real + 8 fake, EER 20.0 % [10.0, 30.0]",
    ):
        assert words in text


def test_a_verdict_is_json_and_html():
    verdict = verdict_of(OUTCOMES["real"][0])
    values = json.loads(verdict.to_json())
    assert values["decision"] == "real" and values["flagged"] == [{"start": 0.0, "end": 4.0}]
    assert values["detector"]["dev"]["corpora"] == ["c"] and values["seconds"] == 8.0
    assert re.match("<p><b>Probably real speech.*</b><br>This is an", verdict._repr_html_())
