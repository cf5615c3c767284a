"""The detectors of a service: opened once, found by name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.inference.scores import score_recording
from amsdf.detector.storage.loading import find_detector
from amsdf.scoring.judging.judge import Judge, Scorer, load
from amsdf.serving.http.errors import ApiError
from amsdf.serving.http.settings import ServeSettings


class Detectors:
    """Judges by name; the first one is the default."""

    def __init__(self, settings: ServeSettings, scorer: Scorer = score_recording):
        self._settings, self._scorer = settings, scorer
        self._judges: dict[str, Judge] = {}
        #: Whether all are open.
        self.ready = False
        check_names(settings.detectors)

    def open(self) -> None:
        """Read the weights of all of them."""
        how = self._settings
        for name in how.detectors:
            judge = load(name, device=how.device, trust_remote_code=how.trust_remote_code)
            self._judges[judge.name] = replace(judge, scorer=self._scorer)
        self.ready = True

    def get(self, name: str | None) -> Judge:
        """The judge of that name, or the default."""
        if not self.ready:
            raise ApiError(503, "not_ready", "the detectors are being opened", retry_after=2)
        if name is None:
            return next(iter(self._judges.values()))
        if name not in self._judges:
            served = ", ".join(self._judges)
            raise ApiError(404, "unknown_detector", f"no such detector; there are: {served}")
        return self._judges[name]

    def describe(self) -> list[dict[str, Any]]:
        """What is known of each."""
        default = self.get(None)
        return [_describe(judge, judge is default) for judge in self._judges.values()]


def check_names(detectors: Sequence[str]) -> None:
    """Refuse detectors that are not there, and two of one name."""
    names = [find_detector(each)[0] for each in detectors]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"two detectors are called {name!r}; a request could not say which it means. "
                "Rename a folder, or serve one of them"
            )


def _describe(judge: Judge, default: bool) -> dict[str, Any]:
    facts, experiment = judge.facts, judge.detector.experiment
    samples = experiment.clip.samples
    views = {name: view.encoder for name, view in experiment.views.items()}
    trained = ", ".join(facts.trained_on) or "corpora that it does not name"
    return {
        "name": judge.name,
        "trained_on": facts.trained_on,
        "dev": facts.dev,
        "operating_point": None if judge.calibration is None else judge.calibration.point(),
        "clip_seconds": None if samples is None else samples / SAMPLE_RATE,
        "views": views,
        "default": default,
        "description": f"views {', '.join(views)}; trained on {trained}",
    }
