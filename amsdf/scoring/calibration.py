"""Scores to log-likelihood ratios and probabilities, fitted on dev; `calibration.json`.

A detector ranks recordings; its raw score has no unit. A `Calibration` is fitted once, on
development trials, and gives the score a meaning that can be carried to any other recording. Both
fits are monotone and never turn a score round: a detector that is inverted on dev gets a
calibration that says "no evidence", not one that quietly repairs it.

Logistic calibration: Brümmer and du Preez, "Application-independent evaluation of speaker
detection", 2006, with the smoothed targets of Platt, 1999. Isotonic: Zadrozny and Elkan, 2002.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from amsdf.config import Experiment
from amsdf.detector.checkpoint import EXPERIMENT, read_experiment, read_weights
from amsdf.detector.windows import describe_rule
from amsdf.files import write_text
from amsdf.metrics import bootstrap, eer
from amsdf.registry import nearest
from amsdf.scoring.score_files import Scores, class_scores, corpus_of
from amsdf.scoring.thresholds import (
    OperatingPoint,
    choose_operating_point,
    choose_thresholds,
)
from amsdf.weights import digest_of_tensors

FILE = "calibration.json"
REMEDY = "fit it again: eval --calibrate logistic --on known clips"


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
        return expit(self.to_llr(scores) + logit(self.prior))

    def threshold(self, name: str) -> float:
        """The raw-score threshold called `name`."""
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

    def fitted_on(self, rule: str, weights: str, corpora: Sequence[str]) -> Self:
        """The same, with the rule, the weights and the corpora whose scores it was fitted on."""
        dev = self.dev and replace(self.dev, corpora=tuple(corpora))
        return replace(self, rule=rule, weights=weights, dev=dev)

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
        point, dev = data.get("operating_point"), data.get("dev")
        return cls(
            **{
                **data,
                **pairs,
                "operating_point": point and OperatingPoint(**point),
                "dev": dev and DevFigures(**{**dev, "corpora": tuple(dev["corpora"])}),
            }
        )


def fit_logistic(bonafide: ArrayLike, spoof: ArrayLike, prior: float = 0.5) -> Calibration:
    """The line llr = slope * score + offset that minimises the prior-weighted log loss on dev.

    Args:
        bonafide: development scores (Nb,).
        spoof: development scores (Ns,).
        prior: probability of bona fide at which errors are weighed and probabilities are given.
    """
    bona, fake = _checked(bonafide, spoof, prior)
    pooled = np.concatenate([bona, fake])
    centre, spread = float(pooled.mean()), float(pooled.std()) or 1.0
    standard = (pooled[:, None] - centre) / spread
    weights, offset = fit_log_odds(standard, len(bona), prior, least=0.0)
    line = Calibration(
        method="logistic",
        scores=(centre, centre + spread),
        llrs=(offset, offset + float(weights[0])),
        prior=prior,
    )
    return _with_dev(line, bona, fake)


def fit_log_odds(
    standard: np.ndarray, num_bonafide: int, prior: float = 0.5, least: float | None = None
) -> tuple[np.ndarray, float]:
    """Prior-weighted logistic regression of bona fide on standardised scores.

    Args:
        standard: scores of K systems (T, K), bona fide trials first.
        num_bonafide: how many trials are bona fide.
        prior: probability of bona fide at which errors are weighed.
        least: smallest weight that a system may get; none without it.

    Returns:
        Weights (K,) and the offset of the log-likelihood ratio.
    """
    num_spoof = len(standard) - num_bonafide
    # Platt's targets stop just short of 1 and 0, so that separable trials keep finite weights.
    target = np.repeat(
        [(num_bonafide + 1) / (num_bonafide + 2), 1 / (num_spoof + 2)], [num_bonafide, num_spoof]
    )
    share = np.repeat([prior / num_bonafide, (1 - prior) / num_spoof], [num_bonafide, num_spoof])

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        log_odds = standard @ line[:-1] + line[-1] + logit(prior)
        value = share @ (np.logaddexp(0, log_odds) - target * log_odds)
        error = share * (expit(log_odds) - target)
        return float(value), np.append(error @ standard, error.sum())

    num_systems = standard.shape[1]
    found = minimize(
        loss,
        np.append(np.full(num_systems, 1 / num_systems), 0.0),
        jac=True,
        method="L-BFGS-B",
        bounds=[(least, None)] * num_systems + [(None, None)],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000},
    )
    return found.x[:-1], float(found.x[-1])


def fit_isotonic(bonafide: ArrayLike, spoof: ArrayLike, prior: float = 0.5) -> Calibration:
    """The best monotone steps through dev (pool adjacent violators), joined by straight lines.

    One virtual bona fide trial at the lowest score and one virtual spoof trial at the highest keep
    every log-likelihood ratio finite. Scores (Nb,) and (Ns,).
    """
    bona, fake = _checked(bonafide, spoof, prior)
    lowest, highest = min(bona.min(), fake.min()), max(bona.max(), fake.max())
    scores = np.concatenate([bona, [lowest], fake, [highest]])
    labels = np.repeat([1.0, 0.0], [len(bona) + 1, len(fake) + 1])
    steps = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, labels)
    llrs = logit(steps.y_thresholds_) - math.log((len(bona) + 1) / (len(fake) + 1))
    steps_of_llr = Calibration(
        method="isotonic",
        scores=tuple(steps.X_thresholds_.tolist()),
        llrs=tuple(llrs.tolist()),
        prior=prior,
    )
    return _with_dev(steps_of_llr, bona, fake)


def _with_dev(calibration: Calibration, bona: np.ndarray, fake: np.ndarray) -> Calibration:
    """The cuts and figures of the trials that it was fitted on."""
    interval = bootstrap(bona, fake)
    return replace(
        calibration,
        thresholds=choose_thresholds(bona, fake),
        operating_point=choose_operating_point(
            calibration.to_probability(bona), calibration.to_probability(fake)
        ),
        dev=DevFigures(len(bona), len(fake), float(eer(bona, fake).rate), *interval),
    )


def _checked(bonafide: ArrayLike, spoof: ArrayLike, prior: float) -> tuple[np.ndarray, np.ndarray]:
    bona, fake = np.asarray(bonafide, np.float64), np.asarray(spoof, np.float64)
    for name, values in (("bona fide", bona), ("spoof", fake)):
        if values.ndim != 1 or not len(values):
            raise ValueError(f"calibration needs {name} development scores; there are none")
        if not np.isfinite(values).all():
            raise ValueError(f"a {name} development score is NaN or infinite; leave no such trial")
    if not 0 < prior < 1:
        raise ValueError(f"prior {prior} is not between 0 and 1; 0.5 takes no side")
    return bona, fake


FITS = {"logistic": fit_logistic, "isotonic": fit_isotonic}


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


def store_calibration(folder: Path, how: str, tables: Sequence[Scores]) -> None:
    """Fit on the labelled trials of all tables together and keep it in the detector's folder."""
    classes = [class_scores(table) for table in tables]
    real, fake = (np.concatenate([[], *(pair[side] for pair in classes)]) for side in (0, 1))
    calibration = FITS[how](real, fake).fitted_on(
        rule=describe_rule(read_experiment(folder)),
        weights=digest_of_tensors(read_weights(folder)),
        corpora=[corpus_of(table) for table in tables],
    )
    write_text(folder / FILE, calibration.to_json())
