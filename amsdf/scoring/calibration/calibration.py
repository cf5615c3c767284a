"""Scores to log-likelihood ratios and probabilities; `calibration.json`.

A detector ranks recordings; its raw score has no unit. A `Calibration` is fitted once, on
development trials, and gives the score a meaning that can be carried to any other recording.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Self

import numpy as np
import scipy
from numpy.typing import ArrayLike

from amsdf.config import Experiment
from amsdf.detector.inference.windows import describe_rule
from amsdf.detector.storage.checkpoint import EXPERIMENT, read_experiment
from amsdf.files import write_text
from amsdf.registry import nearest
from amsdf.scoring.calibration.points import DevFigures, OperatingPoint
from amsdf.scoring.calibration.thresholds import FAR_RATES, FarPromise, too_few_fakes

FILE = "calibration.json"
FIT = "eval --calibrate-on KNOWN-CLIPS --store-calibration"
REMEDY = f"fit it again: {FIT}"


@dataclass(frozen=True)
class Calibration:
    """A monotone map from raw scores to natural log-likelihood ratios, and cuts from dev.

    The map is linear between the knots and, for `logistic`, goes on in the same line beyond them;
    for `isotonic` it stays at the value of the last knot.
    """

    method: str
    scores: tuple[float, ...]
    llrs: tuple[float, ...]
    #: Probability of bona fide before listening, used by `to_probability`.
    prior: float = 0.5
    #: Names to raw-score thresholds: a trial is accepted as bona fide when score > threshold.
    thresholds: dict[str, float] = field(default_factory=dict)
    #: What the probabilities mean, if no threshold is asked for by name.
    operating_point: OperatingPoint | None = None
    dev: DevFigures | None = None
    #: What was listened to, in the words of `describe_rule`; of old files it is not known.
    rule: str = ""
    #: Digest of the weights; of old files it is not known.
    weights: str = ""
    #: Name and digest of each manifest that it was fitted on; of old files they are not known.
    manifests: dict[str, str] = field(default_factory=dict)
    #: How sure the thresholds `far-…` are; None in old files, whose rates were no bounds.
    promise: FarPromise | None = None

    def to_llr(self, scores: ArrayLike) -> np.ndarray:
        """Scores (T,) -> log-likelihood ratios (T,), in nats, above 0 for bona fide."""
        given = np.asarray(scores, dtype=np.float64)
        if not np.isfinite(given).all():
            raise ValueError("a score to be calibrated is NaN or infinite; scores must be numbers")
        if self.method == "logistic":
            (x0, x1), (y0, y1) = self.scores, self.llrs
            return y0 + (given - x0) * ((y1 - y0) / (x1 - x0))
        return np.interp(given, self.scores, self.llrs)

    def to_probability(self, scores: ArrayLike) -> np.ndarray:
        """Scores (T,) -> probability of bona fide (T,), given the prior."""
        return scipy.special.expit(self.to_llr(scores) + scipy.special.logit(self.prior))

    def threshold(self, name: str) -> float:
        """The raw-score threshold called `name`."""
        if name in FAR_RATES and name not in self.thresholds:
            if self.promise is None:
                raise ValueError(f"{name}: is no bound in this old {FILE}; {REMEDY}")
            raise ValueError(too_few_fakes(name, self.promise.num_spoof))
        if name not in self.thresholds:
            raise ValueError(
                f"no threshold named {name!r}.{nearest(name, self.thresholds)} "
                f"Available: {', '.join(self.thresholds) or 'none'}"
            )
        return self.thresholds[name]

    def point(self, name: str | None = None) -> OperatingPoint:
        """The operating point: that of a threshold called `name`, or the one chosen on dev.

        A calibration whose scores carry no evidence calls nothing real or fake.
        """
        if self.llrs[0] == self.llrs[-1]:
            return OperatingPoint("no evidence", 0.0, 1.0)
        if name is None and self.operating_point is not None:
            return self.operating_point
        name = name or "eer"
        cut = float(self.to_probability([self.threshold(name)])[0])
        return OperatingPoint(name, cut, cut)

    def fitted_on(self, rule: str, weights: str, manifests: Mapping[str, str]) -> Self:
        """The same, with the rule, the weights and the manifests whose scores it was fitted on.

        `manifests` maps the name of each to its digest.
        """
        dev = self.dev and replace(self.dev, corpora=tuple(manifests))
        return replace(self, rule=rule, weights=weights, dev=dev, manifests=dict(manifests))

    def fitted_on_manifest(self, digest: str) -> bool:
        """Whether it was fitted on the manifest of this digest (`manifest_hash` of a score file).

        Error rates there at a threshold of this calibration are no figures "at dev": the
        threshold was chosen on the same trials. False where the digest is empty or the file old.
        """
        return bool(digest) and digest in self.manifests.values()

    def require_weights(self, folder: Path, digest: str) -> None:
        """Refuse to be used with other weights than those it was fitted on."""
        if self.weights not in ("", digest):
            raise ValueError(f"{folder}: its {FILE} is of other weights; {REMEDY}")

    def to_json(self) -> str:
        """Text that `from_json` gives back exactly."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"the calibration is not JSON: {error}") from None
        known = {item.name for item in fields(cls)}
        needed = {"method", "scores", "llrs", "prior", "thresholds"}
        if not isinstance(data, dict) or not needed <= set(data) <= known:
            raise ValueError(
                f"a calibration has the keys {', '.join(sorted(known))}; given: others"
            )
        pairs = {key: tuple(map(float, data[key])) for key in ("scores", "llrs")}
        point, dev, promise = (data.get(key) for key in ("operating_point", "dev", "promise"))
        thresholds = dict(data["thresholds"])
        bounds = set() if promise else FAR_RATES.keys()
        return cls(
            **{
                **data,
                **pairs,
                "thresholds": {k: v for k, v in thresholds.items() if k not in bounds},
                "manifests": dict(data.get("manifests", {})),
                "operating_point": point and OperatingPoint(**point),
                "dev": dev and DevFigures(**{**dev, "corpora": tuple(dev["corpora"])}),
                "promise": promise and FarPromise(**promise),
            }
        )


def read_calibration(folder: Path) -> Calibration | None:
    """The calibration of a detector folder or of a run's best; None without one.

    One that was fitted on scores of another rule than the detector's is refused.
    """
    for place in (folder / FILE, folder / "best" / FILE):
        if place.is_file():
            try:
                calibration = Calibration.from_json(place.read_text("utf-8"))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{place}: {error}; delete it, or train again") from None
            if (place.parent / EXPERIMENT).is_file():
                _require_rule(place, calibration, read_experiment(place.parent))
            return calibration
    return None


def _require_rule(place: Path, calibration: Calibration, experiment: Experiment) -> None:
    rule = describe_rule(experiment)
    # Old files do not say it: they are of the time when every detector had the published rule.
    if calibration.rule != rule and (calibration.rule or experiment.score.parts != "first"):
        fitted = calibration.rule or "the first clip"
        raise ValueError(f"{place}: is for {fitted}; the detector scores {rule}; {REMEDY}")


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Keep it in a folder. Another one that is there gets the name `calibration.before-….json`."""
    place, text = folder / FILE, calibration.to_json()
    if place.is_file() and (older := place.read_text("utf-8")) != text:
        digest = hashlib.sha256(older.encode()).hexdigest()[:12]
        write_text(place.with_name(f"{place.stem}.before-{digest}{place.suffix}"), older)
    write_text(place, text)
