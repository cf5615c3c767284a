"""`Experiment`: what is trained, on what, and how. It says what, never where: no paths, no device.

Recipes, YAML files and flags are nested dictionaries laid over each other (`merging.py`), then
validated once. A component is written flat: `{name: oc-softmax, alpha: 20}`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    model_serializer,
    model_validator,
)

from amsdf import registry
from amsdf.config.scoring_rule import ScoringRule
from amsdf.config.settings import Arguments, FrozenDict, Settings, freeze
from amsdf.config.training import Training
from amsdf.conventions import CODE_FOLDER

#: Keys that would let a file switch on foreign code. Only a caller may do that.
_CALLER_ONLY = ("trust_remote_code", CODE_FOLDER)


def named(data: Any, key: str) -> Any:
    """A name alone, written out."""
    return {key: data} if isinstance(data, str) else data


def gather_arguments(model: type[BaseModel], data: Any) -> Any:
    """Move the keys that are not fields of `model` into `args`."""
    if not isinstance(data, Mapping) or not isinstance(data.get("args", {}), Mapping):
        return data
    own = {key: value for key, value in data.items() if key in model.model_fields}
    flat = {key: value for key, value in data.items() if key not in model.model_fields}
    arguments = {**own.get("args", {}), **flat}
    _refuse_trust(arguments)
    return {**own, "args": arguments}


def _refuse_trust(value: Any) -> None:
    """Refuse the keys that switch on foreign code, however deep they are."""
    if isinstance(value, Mapping):
        for key in _CALLER_ONLY:
            if key in value:
                raise ValueError(
                    f"{key} cannot be set in an experiment: a file never switches on foreign code; "
                    "leave it out and give --trust-remote-code if you trust the model folder"
                )
    if isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            _refuse_trust(inner)


def _spread_arguments(model: type[BaseModel], args: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse: arguments called like a field of `model` stay in `args`."""
    flat = {key: value for key, value in args.items() if key not in model.model_fields}
    hidden = {key: value for key, value in args.items() if key in model.model_fields}
    return {**flat, "args": hidden} if hidden else flat


class Component(Settings):
    """A plugin's name and its arguments; in YAML `{name: …, argument: …}` or just the name."""

    name: str
    args: Arguments = FrozenDict()

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, data: Any) -> Any:
        return gather_arguments(cls, named(data, "name"))

    @model_serializer
    def _to_flat(self) -> dict[str, Any]:
        return {"name": self.name, **_spread_arguments(type(self), self.args)}


class View(Settings):
    """One encoder and how it is treated; every other key is an argument of the encoder.

    An argument that is called like a key of the view is written in `args`: `args: {freeze: true}`.
    """

    encoder: str
    #: File or folder of pretrained weights, looked up in `pretrained_models/` when not a path.
    pretrained: str | None = None
    #: No gradient and evaluation mode, for good or until `unfreeze_epoch`.
    freeze: bool = False
    unfreeze_epoch: int | None = Field(None, ge=1)
    #: Train only the last k blocks of the encoder.
    unfreeze_last: int | None = Field(None, ge=1)
    #: Learning rate of this encoder; without it, that of the experiment.
    learning_rate: float | None = Field(None, gt=0)
    #: Each block below the last learns at this fraction of the rate of the one above it.
    layer_decay: float = Field(1.0, gt=0, le=1)
    #: Rank of low-rank adapters (LoRA, through peft) on the linear layers; 0: none.
    lora_rank: int = Field(0, ge=0)
    gradient_checkpointing: bool = False
    args: Arguments = FrozenDict()

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, data: Any) -> Any:
        return gather_arguments(cls, named(data, "encoder"))

    @model_serializer
    def _to_flat(self) -> dict[str, Any]:
        own = {
            key: getattr(self, key)
            for key, field in type(self).model_fields.items()
            if key not in ("encoder", "args") and getattr(self, key) != field.default
        }
        return {"encoder": self.encoder, **own, **_spread_arguments(type(self), self.args)}


class Clip(Settings):
    """How a recording is fitted to a length; `samples: null` is whole-utterance mode."""

    samples: int | None = Field(64_600, ge=400)
    short: Literal["repeat", "zero"] = "repeat"
    train_crop: Literal["start", "random"] = "random"
    eval_crop: Literal["start", "centre"] = "start"
    #: Length of the second crop that a pair loss asks for; without it, `samples`.
    pair_samples: int | None = Field(None, ge=400)
    pair_crop: Literal["start", "random"] = "random"
    #: [lowest, highest] frequency that the views hear; null: all.
    band_hz: tuple[float, float] | None = None
    #: Level of active speech that every clip is brought to, in dB below full scale; null: its own.
    level_db: float | None = Field(None, le=0)


class Experiment(Settings):
    """Everything that decides a detector, validated.

    Example:
        >>> wanted = {"views": {"audio": "lfcc"}, "head": "resnet18", "loss": "acs"}
        >>> Experiment.parse(wanted).views["audio"].encoder
        'lfcc'
    """

    #: Names the run folder.
    name: str = "experiment"
    #: What each encoder makes of a recording; the names are yours.
    views: Annotated[dict[str, View], AfterValidator(freeze)] = Field(min_length=1)
    #: What joins the views.
    head: Component = Component(name="graph-fusion")
    #: What is learnt, and what scores.
    loss: Component = Component(name="oc-softmax")
    clip: Clip = Clip()
    score: ScoringRule = ScoringRule()
    #: Changes to training clips, one after the other: `[{name: rawboost}, {name: noise}]`.
    augment: list[Component] = Field(default_factory=list)
    train: Training = Training()
    #: Corpora that select the epoch and calibrate.
    dev: list[str] = Field(default_factory=list)
    #: Of weights, order and augmentation.
    seed: int = Field(1234, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _train_shorthand(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("train"), list):
            return {**data, "train": {"corpora": data["train"]}}
        return data

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate nested dictionaries; all problems in one message, one line."""
        try:
            experiment = cls.model_validate(data)
        except ValidationError as error:
            raise ValueError("; ".join(_explain(problem) for problem in error.errors())) from None
        if experiment.train.batch_seconds and experiment.clip.samples:
            raise ValueError(
                "train.batch_seconds: all clips are cut to clip.samples, so batches have equal "
                "lengths; set clip.samples: null, or train.batch_size alone"
            )
        for name, view in experiment.views.items():
            _refuse_two_meanings(name, view)
        for kind, name, arguments in experiment.plugins():
            beside = View.model_fields if kind == "encoders" else ()
            registry.check_arguments(kind, name, arguments, beside)
        return experiment

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """The inverse of `to_yaml`."""
        return cls.parse(yaml.safe_load(text))

    def plugins(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Every plugin of the experiment as (kind, name, arguments)."""
        for view in self.views.values():
            yield "encoders", view.encoder, view.args
        yield "heads", self.head.name, self.head.args
        yield "losses", self.loss.name, self.loss.args
        for component in self.augment:
            yield "augmentations", component.name, component.args

    def to_yaml(self) -> str:
        """YAML that a person can read and `from_yaml` gives back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any setting."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _explain(problem: Any) -> str:
    path = [str(part) for part in problem["loc"]]
    where = ".".join(path) or "experiment"
    if problem["type"] == "extra_forbidden":
        choices = _keys_beside(path)
        return f"no key {where!r}.{registry.nearest(path[-1], choices)} Keys: {', '.join(choices)}"
    if problem["type"] == "value_error":
        return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
    return f"{where}: {problem['msg']}; given: {problem['input']!r}"


def _keys_beside(path: list[str]) -> list[str]:
    model: type[BaseModel] = Experiment
    for part in path[:-1]:
        nested = model.model_fields[part].annotation if part in model.model_fields else None
        model = nested if isinstance(nested, type) and issubclass(nested, BaseModel) else model
    return list(model.model_fields)


def _refuse_two_meanings(name: str, view: View) -> None:
    """Refuse a key that the view and its encoder both have, unless `args` sets the encoder's."""
    declared = registry.parameters("encoders", view.encoder)
    for key in sorted(view.model_fields_set - {"encoder", "args"} - view.args.keys()):
        if key in declared:
            raise ValueError(
                f"view {name!r}: {key!r} is a key of the view and an argument of encoder "
                f"{view.encoder!r}; write args: {{{key}: …}} for the encoder, "
                f"and {key} beside it for the view"
            )
