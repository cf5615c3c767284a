"""When live sound raises an alarm, and when the alarm is over."""

from dataclasses import dataclass
from typing import Literal

AlarmEvent = Literal["begins", "ends"]


@dataclass(frozen=True)
class AlarmPolicy:
    """An alarm begins when the probability of real speech has been low for long enough.

    It ends when for as long it has been above `ends_above`, or nothing could be judged.
    """

    #: The probability of real speech that is low.
    threshold: float
    #: For so many seconds of sound it has to stay there.
    hold: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ValueError(
                f"alarm threshold {self.threshold}: give a probability of real speech, from 0 "
                "to less than 1"
            )
        if not 0 <= self.hold <= 600:
            raise ValueError(f"alarm hold {self.hold}: give seconds, from 0 to 600")

    @property
    def ends_above(self) -> float:
        """Half way from the threshold to 0.5, so that no alarm comes and goes on one edge."""
        return max(self.threshold, (self.threshold + 0.5) / 2)


class Alarm:
    """Whether there is an alarm, step by step.

    Example:
        >>> alarm = Alarm(AlarmPolicy(threshold=0.1, hold=0.5))
        >>> [alarm.step(chance, 0.25) for chance in (0.05, 0.05, 0.05, 0.2, 0.9, 0.9)]
        [None, 'begins', None, None, None, 'ends']
    """

    def __init__(self, policy: AlarmPolicy):
        self._policy = policy
        self._seconds = 0.0
        self.on = False

    def step(self, probability: float | None, seconds: float) -> AlarmEvent | None:
        """The next `seconds` of sound; `probability` is None where nothing can be judged."""
        if self.on:
            turns = probability is None or probability > self._policy.ends_above
        else:
            turns = probability is not None and probability <= self._policy.threshold
        self._seconds = self._seconds + seconds if turns else 0.0
        if not turns or self._seconds < self._policy.hold - 1e-9:
            return None

        self.on, self._seconds = not self.on, 0.0
        return "begins" if self.on else "ends"
