"""Commands as a user gives them, run in this process, and small things to give them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike
from toys import TOY, toy_experiment

from amsdf.cli import main
from amsdf.detector.detector import Detector
from amsdf.detector.inference.windows import describe_rule
from amsdf.detector.storage.checkpoint import read_experiment, read_weights
from amsdf.scoring.calibration.calibration import Calibration
from amsdf.scoring.calibration.fits import fit_logistic
from amsdf.weights import digest_of_tensors

#: Views that take a hundredth of a second each.
SMALL: dict[str, Any] = {"views": {"text": None}}


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str


def amsdf(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Done:
    """Run one command line; argparse's own exits count as exit statuses."""
    capsys.readouterr()
    try:
        status = main.main([str(word) for word in words])
    except SystemExit as stop:
        status = int(stop.code or 0)
    captured = capsys.readouterr()
    return Done(status, captured.out, captured.err)


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """Run a command that must be refused: status 2 and one line, which is given back."""
    done = amsdf(capsys, *words)
    assert done.status == 2, done
    lines = done.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("amsdf"), done.err
    assert "Traceback" not in done.err and "Errno" not in done.err
    return lines[0]


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file and its content: what a refused command must leave as it was."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def toy_detector(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A detector folder with random weights."""
    torch.manual_seed(seed)
    Detector.build(toy_experiment(**changes)).save_pretrained(folder)
    return folder


def toy_calibration(folder: Path, bonafide: ArrayLike, spoof: ArrayLike) -> Calibration:
    """A calibration of such scores, stored with a detector folder as if fitted on dev."""
    calibration = fit_logistic(bonafide, spoof).fitted_on(
        describe_rule(read_experiment(folder)),
        digest_of_tensors(read_weights(folder)),
        {"toy/dev": "0123456789ab"},
    )
    (folder / "calibration.json").write_text(calibration.to_json())
    return calibration


def calibrated_detector(folder: Path) -> Path:
    """A small detector whose calibration says that half of its scores are real."""
    toy_detector(folder, **SMALL, score={"parts": "windows"})
    noise = np.random.default_rng(0).normal(0, 0.1, 40)
    toy_calibration(folder, 0.1 + noise[:20], -0.1 + noise[20:])
    return folder


def toy_yaml(folder: Path, **changes: Any) -> Path:
    """The toy experiment as a file for --config."""
    path = folder / "toy.yaml"
    path.write_text(toy_experiment(**changes).to_yaml())
    return path


class Malicious:
    """Pickled code: unpickling it would make a file."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return (_write_trace, (str(self.trace), "executed"))


def _write_trace(path: str, text: str) -> Mapping[str, Any]:
    Path(path).write_text(text)
    return TOY
