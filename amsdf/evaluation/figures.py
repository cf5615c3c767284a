"""Every figure of a set of trials, by name: its value, its interval, and what it needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from amsdf.metrics import (
    AsvScores,
    Intervals,
    Metric,
    Resampling,
    Trials,
    accuracy,
    act_dcf,
    auc,
    cllr,
    cost_metric,
    counted,
    dcf_cost,
    ece,
    eer,
    eer_collapsed,
    f1,
    min_cllr,
    min_dcf,
    min_tdcf,
    tdcf_cost,
)
from amsdf.metrics.intervals import AUC, EER
from amsdf.registry import nearest
from amsdf.scoring.calibration.calibration import Calibration

Array = np.ndarray
Classes = tuple[Array, Array]
Scale = Literal["score", "llr", "probability"]


class Cut(NamedTuple):
    """The threshold that decides: a trial is accepted when score > threshold."""

    threshold: float
    #: Where it was chosen, in words.
    origin: str


class Estimate(NamedTuple):
    """A figure and its 95 % interval, if there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Given:
    """What figures are computed from, besides the scores."""

    asv: AsvScores | None = None
    cut: Cut | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Figure:
    """A figure by its heading; `value` and `metric` say the same of scores and of their counts."""

    name: str
    value: Callable[[Array, Array, Given], float]
    metric: Callable[[Given], Metric]
    percent: bool = False
    #: What it is a figure of: raw scores, or what a calibration makes of them.
    scale: Scale = "score"
    needs: Sequence[Literal["asv", "cut", "calibration"]] = ()

    def of_class(self, given: Given) -> tuple[bool, bool]:
        """Whether it needs bona fide, and spoofed trials."""
        needs = self.metric(given).needs
        return needs != "spoof", needs != "bonafide"


def _threshold(given: Given) -> float:
    """The cut, as the least score that is accepted."""
    return float(np.nextafter(_cut(given), np.inf))


def _cut(given: Given) -> float:
    return given.cut.threshold if given.cut else 0.0


def _asv(given: Given) -> AsvScores:
    if given.asv is None:
        raise ValueError("the t-DCF needs the scores of a speaker verification system (--asv)")
    return given.asv


def _tdcf(form: str) -> Figure:
    return Figure(
        f"min t-DCF ({form})",
        lambda real, fake, given: min_tdcf(real, fake, _asv(given), form),
        lambda given: cost_metric(tdcf_cost(_asv(given), form)),
        needs=("asv",),
    )


_ACT_DCF = Metric(lambda counts: counted.act_cost(counts, dcf_cost()))
_CLLR = Metric(counted.cllr)

#: Names of figures, as `--figures` takes them, in the order of tables.
FIGURES: Mapping[str, Figure] = {
    "eer": Figure("EER", lambda b, s, _: eer(b, s).rate, lambda _: EER, True),
    "eer_collapsed": Figure(
        "EER, ties together", lambda b, s, _: eer_collapsed(b, s).rate, lambda _: EER, True
    ),
    "auc": Figure("AUC", lambda b, s, _: auc(b, s), lambda _: AUC, True),
    "frr": Figure(
        "real rejected",
        lambda b, _, given: float(np.mean(b <= _cut(given))),
        lambda g: Metric(lambda counts: counted.frr_at(counts, _cut(g)), "errors", "bonafide"),
        True,
        needs=("cut",),
    ),
    "far": Figure(
        "fake accepted",
        lambda _, s, given: float(np.mean(s > _cut(given))),
        lambda g: Metric(lambda counts: counted.far_at(counts, _cut(g)), "errors", "spoof"),
        True,
        needs=("cut",),
    ),
    "accuracy": Figure(
        "accuracy",
        lambda b, s, given: accuracy(b, s, _threshold(given)),
        lambda given: Metric(lambda counts: counted.accuracy(counts, _cut(given)), "errors"),
        True,
        needs=("cut",),
    ),
    "f1": Figure(
        "F1 of fakes",
        lambda b, s, given: f1(b, s, _threshold(given), "spoof"),
        lambda given: Metric(lambda counts: counted.f1(counts, _cut(given)), "share"),
        True,
        needs=("cut",),
    ),
    "min_dcf": Figure("minDCF", lambda b, s, _: min_dcf(b, s), lambda _: cost_metric(dcf_cost())),
    "act_dcf": Figure("actDCF, raw", lambda b, s, _: act_dcf(b, s), lambda _: _ACT_DCF),
    "act_dcf_calibrated": Figure(
        "actDCF, calibrated",
        lambda b, s, _: act_dcf(b, s),
        lambda _: _ACT_DCF,
        scale="llr",
        needs=("calibration",),
    ),
    "cllr": Figure("Cllr, raw", lambda b, s, _: cllr(b, s), lambda _: _CLLR),
    "cllr_calibrated": Figure(
        "Cllr, calibrated",
        lambda b, s, _: cllr(b, s),
        lambda _: _CLLR,
        scale="llr",
        needs=("calibration",),
    ),
    "min_cllr": Figure(
        "min Cllr", lambda b, s, _: min_cllr(b, s), lambda _: Metric(counted.min_cllr, most=1.0)
    ),
    "ece": Figure(
        "ECE, calibrated",
        lambda b, s, _: ece(b, s),
        lambda _: Metric(counted.ece, "share"),
        True,
        scale="probability",
        needs=("calibration",),
    ),
    "min_tdcf_2019": _tdcf("2019"),
    "min_tdcf_2021": _tdcf("2021"),
}


def known_figures(names: Sequence[str]) -> tuple[str, ...]:
    """The names, checked; `all` means every figure."""
    if list(names) in ([], ["all"]):
        return tuple(FIGURES)
    for name in names:
        if name not in FIGURES:
            raise ValueError(
                f"no figure named {name!r}.{nearest(name, FIGURES)} "
                f"Available: all, {', '.join(FIGURES)}"
            )
    return tuple(names)


@dataclass
class _Scaled:
    """The trials on each scale, mapped and prepared for resampling once."""

    classes: Classes
    given: Given
    how: Resampling | None
    _found: dict[Scale, tuple[Classes, Intervals | None]] = field(default_factory=dict)

    def on(self, scale: Scale) -> tuple[Classes, Intervals | None]:
        """Both classes, and their intervals if any are wanted."""
        if scale not in self._found:
            real, fake = (self._mapped(scores, scale) for scores in self.classes)
            cost = dcf_cost()
            cuts = [_cut(self.given), -float(np.log(cost.miss / cost.false_alarm))]
            drawn = self.how and Intervals(Trials(real, fake, self.how, cuts))
            self._found[scale] = (real, fake), drawn or None
        return self._found[scale]

    def _mapped(self, scores: Array, scale: Scale) -> Array:
        calibration = self.given.calibration
        if scale == "score" or calibration is None:
            return scores
        if scale == "llr":
            return calibration.to_llr(scores)
        return calibration.to_probability(scores)


def estimates(
    classes: Classes, given: Given, names: Sequence[str], how: Resampling | None
) -> dict[str, Estimate]:
    """The figures that the trials allow, by name.

    Args:
        classes: scores of the bona fide (Nb,) and of the spoofed trials (Ns,).
        given: what else there is.
        names: the figures that are wanted.
        how: how intervals are drawn; none without it.
    """
    scaled = _Scaled(classes, given, how)
    found = {}
    for name in names:
        figure = FIGURES[name]
        if any(getattr(given, need) is None for need in figure.needs):
            continue
        wanted = figure.of_class(given)
        if not all(len(scores) for scores, need in zip(classes, wanted, strict=True) if need):
            continue
        (real, fake), intervals = scaled.on(figure.scale)
        value = float(figure.value(real, fake, given))
        interval = intervals.of(figure.metric(given)) if intervals else None
        if interval is None:
            found[name] = Estimate(value)
        else:  # equal scores count against the official EER, so it may be beyond
            found[name] = Estimate(value, min(interval.low, value), max(interval.high, value))
    return found
