"""How often real speech raises an alarm, and how soon fakes do: a table; `live_alarms.json`."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import scipy

from amsdf.files import write_text
from amsdf.scoring.judging.judge import Judge
from amsdf.serving.live.stream import LiveJudge
from amsdf.weights import digest_of_tensors

FILE = "live_alarms.json"
#: How sure an upper bound of a rate is.
CONFIDENCE = 0.95


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

    @property
    def brief(self) -> str:
        """The rate and its upper bound, short: `2.1 [10.0]`."""
        return f"{self.per_hour:.1f} [{self.most_per_hour:.1f}]"

    def __str__(self) -> str:
        return (
            f"{self.alarms} alarm{'s' * (self.alarms != 1)} in {self.hours:.2f} h of real speech: "
            f"{self.per_hour:.1f} an hour, below {self.most_per_hour:.1f} with 95 % confidence"
        )


@dataclass(frozen=True)
class Detection:
    """Of some streams in which real speech becomes fake: how many raise an alarm, and when."""

    streams: int
    found: int
    #: Seconds from the first fake sample to the alarm, of those found; None where none is.
    median_delay: float | None
    longest_delay: float | None

    def __str__(self) -> str:
        delay = "" if self.median_delay is None else f", after {self.median_delay:.1f} s (median)"
        return f"{self.found} of {self.streams}{delay}"


@dataclass(frozen=True)
class AlarmRate:
    """How often there are alarms, if they begin at an evidence of `limit`."""

    limit: float
    #: On the speech that the limit was chosen with.
    chosen: CountedAlarms
    #: On other speakers, with whom nothing was chosen.
    checked: CountedAlarms
    detection: Detection

    @property
    def most_per_hour(self) -> float:
        """What both kinds of speech allow to promise: the higher of their upper bounds."""
        return max(self.chosen.most_per_hour, self.checked.most_per_hour)


@dataclass(frozen=True)
class AlarmTable:
    """Measured rates of one detector, for one way to judge live sound."""

    #: What was measured: `detector_digest`.
    detector: str
    every: float
    span: float
    hop: float
    rates: tuple[AlarmRate, ...]
    #: Name and digest of each manifest of speech.
    corpora: dict[str, str] = field(default_factory=dict)

    def for_rate(self, per_hour: float) -> AlarmRate:
        """The rate that finds most and stays within `per_hour`."""
        within = [rate for rate in self.rates if rate.most_per_hour <= per_hour]
        if not within:
            least = self.lowest.most_per_hour
            hours = self.lowest.chosen.hours + self.lowest.checked.hours
            raise ValueError(
                f"false alarms an hour {per_hour:g}: the {hours:.1f} h of real speech that were "
                f"measured cannot show fewer than {least:.1f}; allow more, or measure more speech"
            )
        return min(within, key=lambda rate: rate.limit)

    @property
    def lowest(self) -> AlarmRate:
        """The rate with the fewest false alarms; of those with equally few, what finds most."""
        return min(self.rates, key=lambda rate: (rate.most_per_hour, rate.limit))

    def require(self, live: LiveJudge) -> None:
        """Refuse to promise anything for another detector, or other times, than the measured."""
        if self.detector != detector_digest(live.judge):
            raise ValueError(
                "false alarms were measured for other weights or another calibration than those "
                f"of {live.judge.name!r}; measure them again"
            )
        settings = live.settings
        asked = {"every": settings.every, "span": settings.span, "hop": live.hop_seconds}
        for name, value in asked.items():
            measured = getattr(self, name)
            if abs(value - measured) > 1e-9:
                raise ValueError(
                    f"{name} {value:g}: false alarms were measured with {measured:g}; leave it "
                    "out, or measure them again"
                )

    def lines(self) -> list[str]:
        """The rates for people, a line each."""
        head = f"{'limit':>5}  {'chosen':>12}  {'other speakers':>14}  fakes found"
        rows = [
            f"{of.limit:5.2f}  {of.chosen.brief:>12}  {of.checked.brief:>14}  {of.detection}"
            for of in self.rates
        ]
        lowest = self.lowest
        hours = f"{lowest.chosen.hours:.2f} h and {lowest.checked.hours:.2f} h of real speech"
        what = f"false alarms an hour in {hours} [upper bound with 95 % confidence]"
        return [what, head, *rows]

    def write(self, path: Path) -> None:
        """Keep it; beside the weights it is called `live_alarms.json`."""
        write_text(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """The inverse of `write`."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(**found | {"rates": tuple(map(_rate, found["rates"]))})
        except FileNotFoundError:
            raise ValueError(f"{path}: no such file; `amsdf live --measure` writes one") from None
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{path}: is not a table of false alarms; measure them again"
            ) from None


def detector_digest(judge: Judge) -> str:
    """Twelve hexadecimal digits over what makes evidence: the weights and the calibration."""
    calibration = judge.calibration
    if calibration is None:
        raise ValueError(f"detector {judge.name!r} has no calibration, so it has no alarms")
    weights = calibration.weights or digest_of_tensors(judge.detector.state_dict())
    parts = (weights, calibration.method, calibration.scores, calibration.llrs)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _rate(found: dict) -> AlarmRate:
    return AlarmRate(
        found["limit"],
        CountedAlarms(**found["chosen"]),
        CountedAlarms(**found["checked"]),
        Detection(**found["detection"]),
    )
