"""From the evidence about one recording to a decision, its reason, and the whole verdict.

Numpy is enough for it: judges with and without torch answer the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amsdf.audio.speech import Hearing, reasons_not_to_judge, warnings_of
from amsdf.config import Experiment
from amsdf.conventions import SAMPLE_RATE
from amsdf.detector.inference.cutting import QUIET, RecordingPart
from amsdf.scoring.calibration.points import CANNOT_TELL, REAL, Decision, OperatingPoint
from amsdf.scoring.judging.verdict import DetectorFacts, Verdict, Window, duration, flag, is_long

NOT_CALIBRATED = "The detector is not calibrated, so its score only ranks."
MIXED = "Most of it sounds like real speech, and a part sounds machine-made."
UNLIKE_TRAINING = "The recording is unlike what the detector was trained on."
#: From so many clips on, a recording of which one clip is listened to is warned about.
MUCH_LONGER = 1.5


@dataclass(frozen=True)
class Grounds:
    """What a decision rests on.

    `obstacles` says what was heard that no detector should answer for. `unlike` says that most
    of the recording is unlike what the detector was trained on, `mixed` that a longer part of it
    sounds machine-made.
    """

    probability: float | None
    point: OperatingPoint | None
    obstacles: Sequence[str] = ()
    unlike: bool = False
    mixed: bool = False


def decide(grounds: Grounds) -> tuple[Decision, str]:
    """The decision, and why, in sentences."""
    if grounds.probability is None or grounds.point is None:
        return CANNOT_TELL, NOT_CALIBRATED
    if grounds.obstacles:
        return CANNOT_TELL, " ".join(map(sentence, grounds.obstacles))
    if grounds.unlike:
        return CANNOT_TELL, UNLIKE_TRAINING
    decision = grounds.point.decide(grounds.probability)
    if decision == REAL and grounds.mixed:
        return CANNOT_TELL, MIXED
    reason = chance_in_words(grounds.probability)
    if decision == CANNOT_TELL:
        reason = f"The evidence is too weak. {reason}"
    return decision, reason


def may_decide(grounds: Grounds) -> bool:
    """Whether the probability alone decides."""
    return grounds.probability is not None and not grounds.obstacles and not grounds.unlike


def chance_in_words(probability: float) -> str:
    """A probability that speech is real, as one sentence for a lay person."""
    if not 0 <= probability <= 1:
        raise ValueError(f"probability {probability} is not between 0 and 1")
    real = probability >= 0.5
    share = round(100 * (probability if real else 1 - probability))
    counted = f"{share} in 100" if share < 100 else "over 99 in 100"
    made = "not machine-made" if real else "machine-made"
    return f"The chance that the speech is {made} is {counted}."


def sentence(words: str) -> str:
    """Words with a capital in front and a full stop behind."""
    return f"{words[:1].upper()}{words[1:].removesuffix('.')}."


@dataclass(frozen=True)
class Findings:
    """What a detector finds in one recording.

    `own_threshold` says that a person chose what decides: a longer part that sounds machine-made
    then holds nothing up.
    """

    score: float
    probability: float | None
    windows: tuple[Window, ...]
    hearing: Hearing
    unlike: bool = False
    own_threshold: bool = False
    warnings: Sequence[str] = ()


def verdict_on(found: Findings, point: OperatingPoint | None, detector: DetectorFacts) -> Verdict:
    """The verdict on what is found, at an operating point."""
    windows, hearing = found.windows, found.hearing
    flagged = flag(windows, point) if point else ()
    mixed = not found.own_threshold and is_long(flagged, windows)
    obstacles = reasons_not_to_judge(hearing)
    grounds = Grounds(found.probability, point, obstacles, found.unlike, mixed)
    decision, reason = decide(grounds)

    return Verdict(
        decision=decision,
        reason=reason,
        score=found.score,
        probability=found.probability,
        seconds=hearing.seconds,
        windows=windows,
        flagged=flagged if may_decide(grounds) else (),
        warnings=(*found.warnings, *warnings_of(hearing)),
        operating_point=point,
        detector=detector,
    )


def windows_of(
    parts: Sequence[RecordingPart], scores: Sequence[float], chances: Sequence[float | None]
) -> tuple[Window, ...]:
    """Parts of a recording with their scores and probabilities, as a verdict shows them."""
    loudest = max(part.power for part in parts)
    return tuple(
        Window(
            start=part.start / SAMPLE_RATE,
            end=part.end / SAMPLE_RATE,
            score=score,
            probability=chance,
            quiet=part.power < QUIET * loudest,
        )
        for part, score, chance in zip(parts, scores, chances, strict=True)
    )


def length_warnings(seconds: float, experiment: Experiment) -> list[str]:
    """What is to be said of a recording that is far shorter or longer than a clip."""
    clip, found = experiment.clip, []
    length = (clip.samples or 0) / SAMPLE_RATE
    if seconds < length / 2:
        found.append(f"it lasts {seconds:.1f} s; the detector listens to {length:.1f} s at a time")
    if length and experiment.score.parts == "first" and seconds > MUCH_LONGER * length:
        place = {"start": "first", "centre": "middle"}[clip.eval_crop]
        found.append(
            f"it lasts {duration(seconds)}; the detector listened to the {place} "
            f"{length:.1f} s only"
        )
    return found
