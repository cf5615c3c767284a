"""From the evidence about one recording to a decision and its reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from amsdf.scoring.points import CANNOT_TELL, REAL, Decision, OperatingPoint

NOT_CALIBRATED = "The detector is not calibrated, so its score only ranks."
MIXED = "Most of it sounds like real speech, and a part sounds machine-made."
UNLIKE_TRAINING = "The recording is unlike what the detector was trained on."


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
