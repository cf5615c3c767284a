"""What probabilities mean: the decisions, where they are parted, and how that did on dev."""

from dataclasses import dataclass
from typing import Literal

Decision = Literal["real", "fake", "cannot tell"]
REAL: Decision = "real"
FAKE: Decision = "fake"
CANNOT_TELL: Decision = "cannot tell"


@dataclass(frozen=True)
class OperatingPoint:
    """Fake up to the probability `fake_below`, real from `real_above` on; between, cannot tell.

    Probabilities are that the speech is real. A single cut has both at the same place.
    """

    name: str
    fake_below: float
    real_above: float

    def __post_init__(self) -> None:
        if not 0 <= self.fake_below <= self.real_above <= 1:
            raise ValueError(
                f"operating point {self.name!r}: fake_below {self.fake_below} and real_above "
                f"{self.real_above} must be probabilities in this order"
            )

    def decide(self, probability: float) -> Decision:
        """What a probability means here; one at a single cut is fake."""
        if probability <= self.fake_below:
            return FAKE
        return REAL if probability >= self.real_above else CANNOT_TELL


@dataclass(frozen=True)
class DevFigures:
    """How a detector did on the clips that its calibration was fitted on; the EER in [0, 1]."""

    num_bonafide: int
    num_spoof: int
    eer: float
    #: The 95 % interval of the EER.
    eer_low: float
    eer_high: float
    corpora: tuple[str, ...] = ()
