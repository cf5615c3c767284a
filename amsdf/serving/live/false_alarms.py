"""How often real speech raises an alarm: thresholds for a rate, measured; `live_alarms.json`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import scipy

from amsdf.files import write_text
from amsdf.serving.live.alarm import Alarm, AlarmPolicy
from amsdf.serving.live.stream import LiveSettings

FILE = "live_alarms.json"
#: How sure an upper bound of a rate is.
CONFIDENCE = 0.95
#: Probabilities (T,) of real speech, a step each; None where nothing can be judged.
Timeline = Sequence[float | None]


@dataclass(frozen=True)
class CountedAlarms:
    """Alarms in some hours of real speech."""

    alarms: int
    hours: float

    @property
    def per_hour(self) -> float:
        """The rate that was found."""
        return self.alarms / self.hours

    @property
    def most_per_hour(self) -> float:
        """The rate is below this, with 95 % confidence, if alarms come independently (Poisson)."""
        return float(scipy.stats.chi2.ppf(CONFIDENCE, 2 * self.alarms + 2)) / 2 / self.hours

    def __str__(self) -> str:
        return (
            f"{self.alarms} alarms in {self.hours:.2f} h of real speech: {self.per_hour:.1f} an "
            f"hour, below {self.most_per_hour:.1f} with 95 % confidence"
        )


@dataclass(frozen=True)
class Detection:
    """Of some streams in which real speech becomes fake: how many raise an alarm, and when."""

    streams: int
    found: int
    #: Seconds from the first fake sample to the alarm, of those found; None where none is.
    median_delay: float | None
    longest_delay: float | None


@dataclass(frozen=True)
class AlarmRate:
    """A threshold for at most `per_hour` false alarms an hour."""

    per_hour: float
    threshold: float
    #: On the speech that the threshold was chosen with; its upper bound is within `per_hour`.
    chosen: CountedAlarms
    #: On other speakers, with which nothing was chosen.
    checked: CountedAlarms
    detection: Detection

    @property
    def most_per_hour(self) -> float:
        """What both kinds of speech allow to promise: the higher of their upper bounds."""
        return max(self.chosen.most_per_hour, self.checked.most_per_hour)


@dataclass(frozen=True)
class AlarmTable:
    """Measured rates of one detector, for one way to judge live sound."""

    #: Digest of the detector's weights.
    weights: str
    every: float
    span: float
    hop: float
    hold: float
    rates: tuple[AlarmRate, ...]

    def for_rate(self, per_hour: float) -> AlarmRate:
        """The rate that finds most and stays within `per_hour`."""
        within = [rate for rate in self.rates if rate.most_per_hour <= per_hour]
        if not within:
            least = self.lowest.most_per_hour
            hours = self.lowest.chosen.hours + self.lowest.checked.hours
            raise ValueError(
                f"false alarms an hour {per_hour:g}: the {hours:.1f} h of real speech that were "
                f"measured cannot show fewer than {least:.1f}; give more, or a threshold"
            )
        return max(within, key=lambda rate: rate.threshold)

    @property
    def lowest(self) -> AlarmRate:
        """The rate with the fewest false alarms."""
        return min(self.rates, key=lambda rate: rate.most_per_hour)

    def require_settings(self, settings: LiveSettings, hop: float) -> None:
        """Refuse to promise a rate for another way to judge than the measured one."""
        asked = {"every": settings.every, "span": settings.span, "hop": hop}
        for name, value in asked.items():
            measured = getattr(self, name)
            if abs(value - measured) > 1e-9:
                raise ValueError(
                    f"{name} {value:g}: false alarms were measured with {measured:g}; leave it, "
                    "or give a threshold"
                )

    def policy(self, rate: AlarmRate) -> AlarmPolicy:
        """When there is an alarm at this rate."""
        return AlarmPolicy(rate.threshold, self.hold)

    def write(self, path: Path) -> None:
        """Keep it beside the weights."""
        write_text(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path, weights: str) -> Self | None:
        """That of a detector folder; None where it has none, or one of other weights."""
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            rates = tuple(map(_rate, found.pop("rates")))
            table = cls(**found, rates=rates)
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}: is not a table of false alarms; delete it") from None
        return table if table.weights == weights else None


def _rate(found: dict) -> AlarmRate:
    return AlarmRate(
        found["per_hour"],
        found["threshold"],
        CountedAlarms(**found["chosen"]),
        CountedAlarms(**found["checked"]),
        Detection(**found["detection"]),
    )


def alarm_times(timeline: Timeline, policy: AlarmPolicy, every: float) -> list[float]:
    """When alarms begin, in seconds."""
    alarm = Alarm(policy)
    return [
        (place + 1) * every
        for place, chance in enumerate(timeline)
        if alarm.step(chance, every) == "begins"
    ]


def count_alarms(timelines: Sequence[Timeline], policy: AlarmPolicy, every: float) -> CountedAlarms:
    """Alarms in some streams of real speech."""
    alarms = sum(len(alarm_times(each, policy, every)) for each in timelines)
    return CountedAlarms(alarms, sum(map(len, timelines)) * every / 3600)
