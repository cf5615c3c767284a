"""How a calibration is fitted: on development trials, monotone.

No fit turns a score round: a detector that is inverted on dev gets a calibration that says "no
evidence", not one that quietly repairs it.

Logistic calibration: Brümmer and du Preez, "Application-independent evaluation of speaker
detection", 2006, with the smoothed targets of Platt, 1999. Isotonic: Zadrozny and Elkan, 2002.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

import numpy as np
import scipy
from numpy.typing import ArrayLike

from amsdf.metrics import Resampling, bootstrap, eer
from amsdf.scoring.calibration.calibration import Calibration
from amsdf.scoring.calibration.points import DevFigures
from amsdf.scoring.calibration.thresholds import (
    FarPromise,
    choose_operating_point,
    choose_thresholds,
)
from amsdf.scoring.score_files.table import Scores, class_scores, corpus_of
from amsdf.scoring.score_files.units import pool, unit_of


def fit_logistic(
    bonafide: ArrayLike, spoof: ArrayLike, prior: float = 0.5, how: Resampling | None = None
) -> Calibration:
    """The line llr = slope * score + offset that minimises the prior-weighted log loss on dev.

    Args:
        bonafide: development scores (Nb,).
        spoof: development scores (Ns,).
        prior: probability of bona fide at which errors are weighed and probabilities are given.
        how: how the interval of the dev EER is drawn; by clip without it.
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
    return _with_dev(line, bona, fake, how)


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
        log_odds = standard @ line[:-1] + line[-1] + scipy.special.logit(prior)
        value = share @ (np.logaddexp(0, log_odds) - target * log_odds)
        error = share * (scipy.special.expit(log_odds) - target)
        return float(value), np.append(error @ standard, error.sum())

    num_systems = standard.shape[1]
    found = scipy.optimize.minimize(
        loss,
        np.append(np.full(num_systems, 1 / num_systems), 0.0),
        jac=True,
        method="L-BFGS-B",
        bounds=[(least, None)] * num_systems + [(None, None)],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000},
    )
    return found.x[:-1], float(found.x[-1])


def fit_isotonic(
    bonafide: ArrayLike, spoof: ArrayLike, prior: float = 0.5, how: Resampling | None = None
) -> Calibration:
    """The best monotone steps through dev (pool adjacent violators), joined by straight lines.

    One virtual bona fide trial at the lowest score and one virtual spoof trial at the highest keep
    every log-likelihood ratio finite. Scores (Nb,) and (Ns,); the rest as in `fit_logistic`.
    """
    bona, fake = _checked(bonafide, spoof, prior)
    lowest, highest = min(bona.min(), fake.min()), max(bona.max(), fake.max())
    scores = np.concatenate([bona, [lowest], fake, [highest]])
    labels = np.repeat([1.0, 0.0], [len(bona) + 1, len(fake) + 1])
    isotonic = import_module("sklearn.isotonic")  # half a second, which other fits do not need
    steps = isotonic.IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    steps.fit(scores, labels)
    llrs = scipy.special.logit(steps.y_thresholds_) - math.log((len(bona) + 1) / (len(fake) + 1))
    steps_of_llr = Calibration(
        method="isotonic",
        scores=tuple(steps.X_thresholds_.tolist()),
        llrs=tuple(llrs.tolist()),
        prior=prior,
    )
    return _with_dev(steps_of_llr, bona, fake, how)


def _with_dev(
    calibration: Calibration, bona: np.ndarray, fake: np.ndarray, how: Resampling | None
) -> Calibration:
    """The cuts and figures of the trials that it was fitted on."""
    interval = bootstrap(bona, fake, how=how) or (0.0, 1.0)  # too few to say more
    return replace(
        calibration,
        thresholds=choose_thresholds(bona, fake),
        operating_point=choose_operating_point(
            calibration.to_probability(bona), calibration.to_probability(fake)
        ),
        dev=DevFigures(len(bona), len(fake), float(eer(bona, fake).rate), *interval),
        promise=FarPromise(num_spoof=len(fake)),
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


def calibrate(how: str, tables: Sequence[Scores]) -> Calibration:
    """Fitted by one of `FITS` on the labelled trials of all tables of one detector together."""
    if not tables:
        raise ValueError("calibration needs bona fide and spoof development scores; there are none")
    together = pool(tables)
    drawn = Resampling(groups=unit_of(together).groups)
    about = tables[0].header
    return FITS[how](*class_scores(together), how=drawn).fitted_on(
        rule=about.get("clip", ""),
        weights=about.get("weights", ""),
        manifests={corpus_of(table): table.header.get("manifest_hash", "") for table in tables},
    )
