"""When live sound raises an alarm, and when the alarm is over."""

from typing import Literal

AlarmEvent = Literal["begins", "ends"]
#: After so many seconds in which nothing could be judged, the evidence is forgotten.
FORGOTTEN_AFTER = 10.0


class Alarm:
    """Adds up the evidence of windows. An alarm begins at `limit` and ends when none is left.

    Evidence is the logarithm of how much likelier a window is if its speech is fake: real speech
    takes away from the sum. The sum stays between 0 and `limit`, so that hours of real speech do
    not hide the fake that follows, nor hours of fakes the real speech (Page's test, CUSUM).

    Example:
        >>> alarm = Alarm(limit=2.0)
        >>> [alarm.step(evidence, 2.0) for evidence in (-3.0, 1.0, 1.5, -1.0, -1.0)]
        [None, None, 'begins', None, 'ends']
    """

    def __init__(self, limit: float):
        self._limit, self._evidence, self._idle = limit, 0.0, 0.0
        self.on = False

    @property
    def share(self) -> float:
        """Of the evidence that begins an alarm, how much there is: 0 to 1."""
        return self._evidence / self._limit

    def step(self, evidence: float | None, seconds: float) -> AlarmEvent | None:
        """The next `seconds` of sound.

        Args:
            evidence: Of the windows that end there, 0 where none does; None where nothing can be
                judged.
            seconds: How much sound it is.
        """
        self._idle = self._idle + seconds if evidence is None else 0.0
        found = self._evidence + (evidence or 0.0)
        forgotten = self._idle >= FORGOTTEN_AFTER - 1e-9
        self._evidence = 0.0 if forgotten else min(self._limit, max(0.0, found))

        if self._evidence < self._limit if not self.on else self._evidence > 0:
            return None
        self.on = not self.on
        return "begins" if self.on else "ends"
