"""A study: recipes x losses x seeds, each cell an ordinary run, and the table of their EERs.

Written as YAML; `losses` left out means each recipe with its own:

    name: losses
    recipes: [aasist-l, {recipe: lfcc-resnet18-oc, name: short, clip: {samples: 32000}}]
    losses: [cross-entropy, oc-softmax, {name: acs, momentum: 0.1}]
    seeds: [1, 2]
    overrides: {train: {epochs: 4}}
    train: [asvspoof2019-la/train]
    dev: [asvspoof2019-la/dev]
    eval: [in-the-wild]

`folds: {by: source}` leaves each source of `train` out in turn and tests on it; `search` draws
settings from ranges (see `Search`).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from amsdf.config import Component, Experiment, merge, read_recipe, read_yaml
from amsdf.config.overrides import with_architectures
from amsdf.evaluation.studies.folds import Fold, Folds
from amsdf.evaluation.studies.search import Draw, Search
from amsdf.registry import nearest

Architecture = Callable[[str, str], Mapping[str, Any]]


class Base(BaseModel):
    """A shipped recipe, or a YAML file, with some keys changed; its name is for the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    name: str = ""
    overrides: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"recipe": data}
        if not isinstance(data, Mapping):
            return data
        own = {key: value for key, value in data.items() if key in ("recipe", "name")}
        return {**own, "overrides": {k: v for k, v in data.items() if k not in own}}

    @property
    def label(self) -> str:
        """What the table calls it."""
        return self.name or Path(self.recipe).stem

    def read(self) -> dict[str, Any]:
        """The recipe as nested dictionaries, nothing changed."""
        is_file = self.recipe.endswith((".yaml", ".yml"))
        return read_yaml(Path(self.recipe)) if is_file else read_recipe(self.recipe)


class Study(BaseModel):
    """What a study's YAML file holds; `base` names a single recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "study"
    recipes: tuple[Base, ...] = Field((), min_length=1, validate_default=True)
    losses: tuple[Component, ...] = ()
    seeds: tuple[int, ...] = Field((1,), min_length=1)
    #: Without these, what each recipe says.
    train: list[str] = Field(default_factory=list)
    dev: list[str] = Field(default_factory=list)
    #: Corpora that the finished detectors are tried on.
    eval: list[str] = Field(default_factory=list)
    #: Keys of an experiment, changed in every cell.
    overrides: dict[str, Any] = Field(default_factory=dict)
    folds: Folds | None = None
    search: Search | None = None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate nested dictionaries; all problems in one message, one line."""
        known = [*cls.model_fields, "base"]
        for key in data:
            if key not in known:
                keys = ", ".join(known)
                raise ValueError(f"study: no key {key!r}.{nearest(str(key), known)} Keys: {keys}")
        if "base" in data and "recipes" in data:
            raise ValueError("study: base and recipes are both given; write one recipe as a list")
        given = {key: value for key, value in data.items() if key != "base"}
        given |= {"recipes": [data["base"]]} if "base" in data else {}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise ValueError("; ".join(_explain(problem) for problem in error.errors())) from None


def _explain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    return f"study: {where}: {problem['msg']}; given: {problem['input']!r}"


def read_study(path: Path) -> Study:
    """A study's YAML file."""
    return Study.parse({"name": path.stem, **read_yaml(path)})


@dataclass(frozen=True)
class Cell:
    """One run of a study; `experiment.name` names its folder and its detector."""

    recipe: str
    loss: str
    experiment: Experiment
    #: Corpora that the finished detector is tried on.
    eval: tuple[str, ...] = ()
    #: The source left out; empty without folds.
    fold: str = ""
    #: The values drawn in a search.
    draw: str = ""

    @property
    def name(self) -> str:
        """`<recipe>-<loss>[-<drawn values>][-<source left out>]-seed<k>`."""
        return self.experiment.name

    @property
    def setting(self) -> tuple[str, ...]:
        """What runs of other seeds and folds have in common."""
        return (self.recipe, self.loss, *([self.draw] if self.draw else []))


def cells(
    study: Study,
    architecture_of: Architecture,
    folds: Sequence[Fold] = (),
    draw: Draw | None = None,
) -> list[Cell]:
    """Every run of a study, all of them checked.

    Args:
        study: Recipes, losses, seeds and corpora.
        architecture_of: See `build_experiment`.
        folds: What the training corpora are parted into.
        draw: Values of a search, for which these runs are.
    """
    found: dict[str, Cell] = {}
    for base, loss, keys in _settings(study, draw):
        data = with_architectures(keys, architecture_of)
        for fold in folds or (None,):
            for seed in study.seeds:
                cell = _cell(study, (base, loss, draw.label if draw else ""), data, (fold, seed))
                if cell.name in found:
                    raise ValueError(
                        f"study: two runs are called {cell.name!r}; give each seed once, and a "
                        "name to one of two recipes of the same file"
                    )
                found[cell.name] = cell
    return list(found.values())


def _settings(study: Study, draw: Draw | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Names of recipe and loss, and the experiment's keys but for its corpora, name and seed."""
    for base in study.recipes:
        recipe = merge(base.read(), base.overrides)
        own = Component.model_validate(recipe.get("loss", Experiment.model_fields["loss"].default))
        for loss in study.losses or (None,):
            data = merge(recipe, {"loss": loss.model_dump()} if loss else {})
            if loss and loss.name != own.name:  # the optimiser of a centre that is gone
                data = merge(data, {"train": {"centre": None}})
            data = merge(merge(data, study.overrides), draw.layer() if draw else {})
            yield base.label, _label(loss) if loss else own.name, data


def _cell(
    study: Study,
    setting: tuple[str, str, str],
    data: Mapping[str, Any],
    place: tuple[Fold | None, int],
) -> Cell:
    """The run of a setting (recipe, loss, draw) on a fold with a seed."""
    fold, seed = place
    words = [word for word in (*setting, fold.name if fold else "") if word]
    name = f"{'-'.join(words)}-seed{seed}"
    layer = merge(_corpora(study, fold), {"name": name, "seed": seed})
    experiment = Experiment.parse(merge(data, layer))
    left_out = [fold.part("eval")] if fold else []
    recipe, loss, draw = setting
    tried_on = (*left_out, *study.eval)
    return Cell(recipe, loss, experiment, tried_on, fold.value if fold else "", draw)


def _label(loss: Component) -> str:
    """The loss with its arguments, fit to be a part of a folder's name."""
    arguments = "".join(f"-{key}-{value}" for key, value in loss.args.items())
    return re.sub(r"[^\w.+-]+", "-", loss.name + arguments).strip("-")


def _corpora(study: Study, fold: Fold | None) -> dict[str, Any]:
    if fold:
        return {"train": {"corpora": [fold.part("train")]}, "dev": [fold.part("dev")]}
    layer: dict[str, Any] = {"train": {"corpora": study.train}} if study.train else {}
    return {**layer, "dev": study.dev} if study.dev else layer


@dataclass
class CellResult:
    """What became of a cell: EERs as fractions, or why there are none."""

    cell: Cell
    dev: float | None = None
    eers: dict[str, float | None] = field(default_factory=dict)
    problem: str = ""
    #: Training was given up for its dev EER; it is not tried on other corpora.
    given_up: bool = False

    @property
    def left_out(self) -> float | None:
        """The EER on the source that its fold left out."""
        return self.eers.get(self.cell.eval[0]) if self.cell.fold else None
