"""Metrics as pure functions of score arrays; they import nothing else of ours."""

from amsdf.metrics.calibration import cllr, ece, min_cllr
from amsdf.metrics.detection import (
    Cost,
    DetCurve,
    Eer,
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

__all__ = [
    "Cost",
    "DetCurve",
    "Eer",
    "accuracy",
    "act_dcf",
    "auc",
    "cllr",
    "dcf_cost",
    "det_curve",
    "ece",
    "eer",
    "eer_collapsed",
    "f1",
    "min_cllr",
    "min_cost",
    "min_dcf",
]
