"""`calibration.json`: fitted on dev, kept with the detector, carried to tests and to `score`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amsdf.evaluation.results import class_scores
from amsdf.files import write_text
from amsdf.scoring.calibration import Calibration, fit_isotonic, fit_logistic
from amsdf.scoring.score_files import Scores

FILE = "calibration.json"
FITS = {"logistic": fit_logistic, "isotonic": fit_isotonic}


def read_calibration(path: Path) -> Calibration | None:
    """The calibration of a detector folder or of a run's best."""
    for folder in (path, path / "best"):
        if (folder / FILE).is_file():
            return _calibration_at(folder / FILE)
    return None


def _calibration_at(path: Path) -> Calibration:
    try:
        return Calibration.from_json(path.read_text("utf-8"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}; delete it, or train again") from None


def dev_threshold(name: str, path: Path, which: str | None) -> dict[str, float]:
    """The threshold that the detector's dev sets chose, if it was calibrated."""
    calibration = read_calibration(path)
    if calibration is None and which:
        print(f"# --threshold {which} has no effect on {name}: it has no calibration")
    return {} if calibration is None else {name: calibration.threshold(which or "eer")}


def require_folder(place: Path) -> None:
    """A calibration is kept in the detector's folder, so it must have one."""
    if not place.is_dir():
        raise ValueError(f"--calibrate: {place} is a file; import it first, to have a folder")


def store_calibration(folder: Path, how: str, tables: Sequence[Scores]) -> None:
    """Fit on all trials of the tables together and keep it in the detector's folder."""
    classes = [class_scores(table) for table in tables]
    real, fake = (np.concatenate([[], *(pair[side] for pair in classes)]) for side in (0, 1))
    write_text(folder / FILE, FITS[how](real, fake).to_json())
