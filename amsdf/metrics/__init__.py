"""Metrics as pure functions of score arrays; they import nothing else of ours.

Example:
    >>> eer([0.9, 0.8, 0.4], [0.1, 0.2, 0.6]).rate  # scores of real and of fake speech
    0.3333333333333333
"""

from amsdf.metrics.cllr import cllr, ece, min_cllr
from amsdf.metrics.counts import Counts
from amsdf.metrics.detection import (
    Cost,
    DetCurve,
    Eer,
    MinCost,
    accuracy,
    act_dcf,
    auc,
    dcf_cost,
    det_curve,
    eer,
    eer_collapsed,
    f1,
    min_cost,
    min_dcf,
)
from amsdf.metrics.grid import Drawn, grid
from amsdf.metrics.intervals import (
    Interval,
    Intervals,
    Metric,
    bootstrap,
    clopper_pearson,
    cost_metric,
    mean_interval,
    source_interval,
)
from amsdf.metrics.paired import PairedTest, Resampled, difference, holm, paired_test, resampled
from amsdf.metrics.resampling import Resampling, Trials
from amsdf.metrics.tandem import (
    ASVSPOOF5_ASV,
    AsvRates,
    AsvScores,
    SasvEers,
    TandemCosts,
    a_dcf,
    asv_rates,
    min_tdcf,
    sasv_eers,
    t_eer,
    tdcf_cost,
    tdcf_weights,
)

__all__ = [
    "ASVSPOOF5_ASV",
    "AsvRates",
    "AsvScores",
    "Cost",
    "Counts",
    "DetCurve",
    "Drawn",
    "Eer",
    "Interval",
    "Intervals",
    "Metric",
    "MinCost",
    "PairedTest",
    "Resampled",
    "Resampling",
    "SasvEers",
    "TandemCosts",
    "Trials",
    "a_dcf",
    "accuracy",
    "act_dcf",
    "asv_rates",
    "auc",
    "bootstrap",
    "cllr",
    "clopper_pearson",
    "cost_metric",
    "dcf_cost",
    "det_curve",
    "difference",
    "ece",
    "eer",
    "eer_collapsed",
    "f1",
    "grid",
    "holm",
    "mean_interval",
    "min_cllr",
    "min_cost",
    "min_dcf",
    "min_tdcf",
    "paired_test",
    "resampled",
    "sasv_eers",
    "source_interval",
    "t_eer",
    "tdcf_cost",
    "tdcf_weights",
]
