"""The calibration of the starter: on dev sources in several conditions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starter_conditions import CONDITIONS

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.windows import describe_rule
from amsdf.detector.storage import checkpoint
from amsdf.files import write_text
from amsdf.metrics import Resampling
from amsdf.scoring.calibration.calibration import FILE
from amsdf.scoring.calibration.fits import fit_logistic
from amsdf.scoring.calibration.thresholds import FAR_RATES, FarPromise, far_bounds
from amsdf.scoring.training_data import KnownCorpora
from amsdf.weights import digest_of_tensors


def write_calibration(
    detector: Detector,
    dev: tuple[NDArray[np.floating[Any]], Sequence[Manifest]],
    known: KnownCorpora,
    folder: Path,
) -> None:
    """Write it beside the weights.

    The interval of its EER is drawn by speaker: all versions of all clips of one stay together.
    Bounds of false alarms take each fake once, at its highest score: its versions are no fakes of
    their own, and nine versions of one clip would make the bound too sure.

    Args:
        detector: The starter.
        dev: Scores (V, T) of T clips in V conditions, and the clips.
        known: What the starter is trained and chosen on.
        folder: Where its weights are.
    """
    scores, manifests = dev
    labels = np.concatenate([each.table["label"].to_numpy() for each in manifests])
    speakers = np.concatenate([each.table["speaker"].to_numpy() for each in manifests])
    real, fake = scores[:, labels == BONAFIDE], scores[:, labels == SPOOF]
    groups = [np.tile(speakers[labels == label], len(scores)) for label in (BONAFIDE, SPOOF)]
    how = Resampling(groups=(groups[0], groups[1]))
    fitted = fit_logistic(real.ravel(), fake.ravel(), how=how)
    cuts = {name: cut for name, cut in fitted.thresholds.items() if name not in FAR_RATES}
    once = fake.max(axis=0)
    calibration = replace(
        fitted, thresholds={**cuts, **far_bounds(once)}, promise=FarPromise(num_spoof=len(once))
    )
    about = f"as it is and in {len(CONDITIONS)} conditions"
    calibration = calibration.fitted_on(
        rule=describe_rule(detector.experiment),
        weights=digest_of_tensors(checkpoint.read_weights(folder)),
        manifests={f"{corpus.name} {about}": corpus.digest for corpus in known.dev},
    )
    write_text(folder / FILE, calibration.to_json())
