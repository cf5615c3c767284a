"""A search: settings drawn from ranges, and given up early where the dev EER says so.

The optional package `optuna` proposes the next draw from the dev EERs of those before. What it
knows is kept in the folder of the study, so that a search that was stopped goes on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from amsdf.config.overrides import set_key

JOURNAL = "search.log"
_DIGITS = 3
#: More epochs than any run has: steps of a second run of a draw come behind those of the first.
_EPOCHS = 100_000

Value = bool | int | float | str


class Range(BaseModel):
    """Numbers from low to high; whole ones where both are, by a step or on a log scale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> "Range":
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be below high, and above 0 where log is true")
        return self


class Search(BaseModel):
    """Written as YAML; a range may also be a list of values.

    search:
      trials: 20
      ranges:
        train.learning_rate: {low: 1.0e-5, high: 1.0e-3, log: true}
        train.batch_size: [8, 16, 32]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(gt=0)
    #: Keys of an experiment.
    ranges: dict[str, Range | tuple[Value, ...]] = Field(min_length=1)
    #: So many draws are trained to their end before any is given up.
    whole: int = Field(4, ge=1)
    seed: int = 0

    @field_validator("ranges")
    @classmethod
    def _are_choices(cls, ranges: dict[str, Any]) -> dict[str, Any]:
        for key, given in ranges.items():
            if isinstance(given, tuple) and len(given) < 2:
                raise ValueError(f"{key}: a list needs two values or more")
        return ranges


@dataclass
class Draw:
    """Drawn values, and the dev EERs of its runs so far."""

    values: Mapping[str, Value]
    trial: Any
    eers: list[float] = field(default_factory=list)
    given_up: bool = False

    @property
    def label(self) -> str:
        """The last word of each key and its value."""
        return "-".join(f"{key.rpartition('.')[2]}-{value}" for key, value in self.values.items())

    def layer(self) -> dict[str, Any]:
        """The values as keys of an experiment."""
        data: dict[str, Any] = {}
        for key, value in self.values.items():
            set_key(data, key, value)
        return data

    def is_hopeless(self, epoch: int, eer: float) -> bool:
        """Whether the dev EER after an epoch of the present run is so bad that it is given up."""
        so_far = sum([*self.eers, eer]) / (len(self.eers) + 1)
        self.trial.report(so_far, len(self.eers) * _EPOCHS + epoch)
        self.given_up = self.given_up or bool(self.trial.should_prune())
        return self.given_up


class Searcher:
    """The draws of a study, one after the other; each is to be told how it ended."""

    def __init__(self, search: Search, folder: Path):
        optuna = _optuna()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        journal = import_module("optuna.storages.journal")
        storage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(folder / JOURNAL)))
        self.search = search
        self._states = optuna.trial.TrialState
        self._study = optuna.create_study(storage=storage, study_name="study", load_if_exists=True)
        self._refuse_other_ranges(folder)
        finished = len(self._ended())
        self._study.sampler = optuna.samplers.TPESampler(seed=search.seed + finished)
        self._study.pruner = optuna.pruners.MedianPruner(n_startup_trials=search.whole)
        for trial in self._study.get_trials(states=(self._states.RUNNING,)):  # it was stopped
            self._study.tell(trial.number, state=self._states.FAIL)
            if trial.params:
                self._study.enqueue_trial(trial.params)

    def _refuse_other_ranges(self, folder: Path) -> None:
        given = self.search.model_dump_json(include={"ranges"})
        known = self._study.user_attrs.setdefault("ranges", given)
        if known != given:
            raise ValueError(
                f"{folder / JOURNAL}: is of a search over other ranges; give another --out"
            )
        self._study.set_user_attr("ranges", given)

    def _ended(self) -> list[Any]:
        states = (self._states.COMPLETE, self._states.PRUNED)
        return self._study.get_trials(states=states)

    def draws(self) -> Iterator[tuple[Draw, bool]]:
        """Draws of a search that was stopped, or is over; then new ones, which are to be told."""
        ended = self._ended()
        for trial in ended:
            given_up = trial.state == self._states.PRUNED
            yield Draw(self._rounded(trial.params), trial, given_up=given_up), False
        for _ in range(self.search.trials - len(ended)):
            trial = self._study.ask()
            values = {key: self._draw(trial, key) for key in self.search.ranges}
            yield Draw(self._rounded(values), trial), True

    def _draw(self, trial: Any, key: str) -> Value:
        given = self.search.ranges[key]
        if not isinstance(given, Range):
            return trial.suggest_categorical(key, given)
        if isinstance(given.low, int) and isinstance(given.high, int):
            return trial.suggest_int(
                key, given.low, given.high, step=given.step or 1, log=given.log
            )
        return trial.suggest_float(key, given.low, given.high, step=given.step, log=given.log)

    def _rounded(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Numbers that people can read, in the order of the ranges."""
        return {
            key: float(f"{values[key]:.{_DIGITS}g}")
            if isinstance(values[key], float)
            else values[key]
            for key in self.search.ranges
        }

    def tell(self, draw: Draw) -> None:
        """A draw has ended: its mean dev EER, given up, or failed."""
        if draw.given_up:
            self._study.tell(draw.trial, state=self._states.PRUNED)
        elif draw.eers:
            self._study.tell(draw.trial, sum(draw.eers) / len(draw.eers))
        else:
            self._study.tell(draw.trial, state=self._states.FAIL)


def _optuna() -> Any:
    try:
        return import_module("optuna")
    except ModuleNotFoundError:
        raise ValueError(
            "a search needs the package 'optuna', which is not installed: "
            "pip install 'amsdf[optuna]'"
        ) from None
