"""What scores the rows of a manifest: this process or, by `--engine ray`, a cluster."""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_rows

#: (rows, their scores, failed rows with reasons), batch by batch.
RowScores = Iterator[tuple[list[int], list[float], list[tuple[int, str]]]]
RowScorer = Callable[[Detector, Manifest, Sequence[int], ScoreSettings], RowScores]


def row_scorer(settings: ScoreSettings) -> RowScorer:
    """As `inference.score_rows`."""
    if settings.engine == "local":
        return score_rows
    return ray_module("ray_data").score_rows_with_ray


def ray_module(name: str) -> Any:
    """A module beside this one that needs the extra `ray`."""
    try:
        return import_module(f"amsdf.scoring.engines.{name}")
    except ModuleNotFoundError as error:
        if error.name not in ("ray", "pyarrow"):
            raise
        raise ValueError(
            f"--engine ray needs the package {error.name!r}, which is not installed: "
            "pip install 'amsdf[ray]'"
        ) from None
