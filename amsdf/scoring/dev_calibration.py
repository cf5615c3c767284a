"""Training that ends with a calibration, fitted on the dev sets of the run."""

from pathlib import Path

import numpy as np

from amsdf.config import Experiment
from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.detector.detector import Detector
from amsdf.files import write_text
from amsdf.scoring.calibration import FILE, fit_logistic
from amsdf.training.distributed import on_main, this_process
from amsdf.training.plan import Plan
from amsdf.training.run_folder import Progress
from amsdf.training.trainer import train
from amsdf.training.validation import score_shared


def train_and_calibrate(experiment: Experiment, plan: Plan) -> Progress:
    """Train, then fit the calibration of the best detector on its dev sets."""
    progress = train(experiment, plan)
    if plan.dev:
        calibrate_on_dev(plan.folder / "best", plan)
    return progress


def calibrate_on_dev(folder: Path, plan: Plan) -> None:
    """Write the calibration of a detector folder, fitted on all dev trials together."""
    detector = Detector.from_pretrained(folder, plan.trust_remote_code).to(this_process().device)
    scores = np.concatenate([score_shared(detector, dev, plan.workers) for dev in plan.dev])
    labels = np.concatenate([dev.table["label"].to_numpy() for dev in plan.dev])
    calibration = fit_logistic(scores[labels == BONAFIDE], scores[labels == SPOOF])
    on_main(lambda: write_text(folder / FILE, calibration.to_json()))
