"""Values of plugin arguments: checked by the constructor's types before any audio is opened."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from command_line import refused

from amsdf import registry
from amsdf.config import Component, Experiment, View, read_recipe, recipe_names


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--loss oc-softmax:alpha=ten", "loss 'oc-softmax': alpha is 'ten': Input should be a val"),
        ("--loss am-softmax:weights=[1,2,3]", "it takes weights: tuple[float, float] | None"),
        ("--view audio=lfcc:coefficients=2.5", "it takes coefficients: int | None = None"),
        ("--view audio=lfcc:definition=aire", "Input should be 'air', 'nii' or 'torchaudio'"),
        ("--view text=xlsr:layer=lost", "or: Input should be 'last', 'all' or 'weighted'"),
        ("--view text=xlsr:conv_dims=8", "conv_dims is 8: Input should be an instance of Sequ"),
        ("--augment time-mask:num=[1]", "augmentation 'time-mask': num is [1]: "),
        ("--head pool-linear:dropout=null", "dropout is None: Input should be a valid number"),
        ("--head pool-linear:embedding_dim=-1", "cannot be built with embedding_dim=-1: Runtime"),
        ("--view audio=lfcc:coefficients=-3", "encoder 'lfcc': cannot be built with coefficie"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_before_training(capsys, words, says):
    given = ("train", "--recipe", "demo", "--dry-run", *words.split())
    assert says in refused(capsys, *given)


@pytest.mark.parametrize(
    ("kind", "name", "given", "taken"),
    [
        ("losses", "oc-softmax", {"alpha": "1e-4"}, {"alpha": 1e-4}),  # text to YAML 1.1
        ("losses", "oc-softmax", {"alpha": 20}, {"alpha": 20.0}),
        ("losses", "am-softmax", {"weights": [1, 2]}, {"weights": (1.0, 2.0)}),
        ("losses", "am-softmax", {"weights": None}, {"weights": None}),
        ("encoders", "xlsr", {"layer": 3}, {"layer": 3}),
        ("encoders", "xlsr", {"conv_dims": [8] * 7}, {"conv_dims": [8] * 7}),
    ],
)
def test_values_are_taken_as_declared(kind, name, given, taken):
    assert registry.check_arguments(kind, name, given) == taken


def test_every_recipe_and_every_default_fits():
    for name in recipe_names():
        Experiment.parse(read_recipe(name))
    for kind in ("encoders", "heads", "losses", "augmentations"):
        loaded = [one.name for one in registry.status() if one.kind == kind and not one.problem]
        for name in loaded:
            known = registry.parameters(kind, name).items()
            defaults = {key: p.default for key, p in known if p.default is not p.empty}
            assert registry.check_arguments(kind, name, defaults) == defaults, name


FOREIGN = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from nowhere import Strange

class Plugin:
    def __init__(self, plain, width: int = 1, odd: Strange = None, thing: object = None):
        self.taken = plain, width, odd, thing
        if width > 9:
            assert width < 99, "below 99"
            raise KeyError("width")

class Typed:
    def __init__(self, *, width: int = 1):
        self.width = width

class Named:
    def __init__(self, *, kind: str = "", name: str = "", freeze: bool = False, args: int = 0):
        self.taken = kind, name, freeze, args
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch) -> Iterator[None]:
    (tmp_path / "foreign_typed.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(tmp_path)
    points = {
        name: [registry.EntryPoint(name, f"foreign_typed:{name}", "amsdf.encoders")]
        for name in ("Plugin", "Typed", "Named")
    }
    monkeypatch.setattr(registry, "_table", lambda _kind: points)
    yield
    sys.modules.pop("foreign_typed", None)


def test_a_foreign_plugin_is_checked_as_far_as_its_types_can_be_looked_up(foreign):
    arguments: Mapping[str, Any] = {"plain": {1: 2}, "odd": "any", "thing": 3}
    assert registry.build("encoders", "Plugin", **arguments).taken == ({1: 2}, 1, "any", 3)
    with pytest.raises(ValueError, match=r"'Typed': width is 'wide': .*it takes width: int = 1"):
        registry.build("encoders", "Typed", width="wide")
    with pytest.raises(ValueError, match="cannot be built with plain=1, width=50: KeyError: 'wid"):
        registry.build("encoders", "Plugin", plain=1, width=50)
    with pytest.raises(ValueError, match="width=100: AssertionError: below 99"):
        registry.build("encoders", "Plugin", plain=1, width=100)


def test_an_argument_may_be_called_like_anything_of_ours(foreign):
    """Trap: `kind` and `name` collided with the registry's own parameters."""
    given = {"kind": "a", "name": "b", "freeze": True, "args": 3}
    built = registry.build("encoders", "Named", **given)
    assert built.taken == ("a", "b", True, 3)


def test_a_key_of_a_view_and_an_argument_are_told_apart():
    """Trap: an argument called like a key of the view went to the view without a word."""
    view = View.model_validate({"encoder": "x", "freeze": True, "args": {"freeze": 5, "args": 1}})
    assert view.freeze is True and view.args == {"freeze": 5, "args": 1}
    assert View.model_validate(view.model_dump()) == view
    part = Component.model_validate({"name": "x", "width": 2, "args": {"name": "y"}})
    assert part.args == {"name": "y", "width": 2}
    assert Component.model_validate(part.model_dump()) == part


@pytest.mark.parametrize("key", ["freeze: true", "pretrained: w.pth", "layer_decay: 0.5"])
def test_a_key_with_two_meanings_is_refused_and_told_how_to_write(monkeypatch, key):
    name = key.partition(":")[0]
    declared = {**registry.parameters("encoders", "lfcc"), name: inspect.Parameter(name, 3)}
    parameters = registry.parameters
    monkeypatch.setattr(
        registry, "parameters", lambda *of: declared if of[1] == "lfcc" else parameters(*of)
    )
    text = f"views: {{audio: {{encoder: lfcc, {key}}}}}\nhead: pool-linear\n"
    with pytest.raises(ValueError) as error:
        Experiment.from_yaml(text)
    assert str(error.value) == (
        f"view 'audio': {name!r} is a key of the view and an argument of encoder 'lfcc'; "
        f"write args: {{{name}: …}} for the encoder, and {name} beside it for the view"
    )
    both = Experiment.from_yaml(text.replace(key, f"{key}, args: {{{name}: 7}}"))
    assert both.views["audio"].args == {name: 7}
    assert Experiment.from_yaml(both.to_yaml()) == both


@pytest.mark.parametrize(
    ("word", "offered"), [("pretraned=w.pth", "pretrained"), ("coeficients=3", "coefficients")]
)
def test_a_misspelt_key_is_offered_the_nearest_of_view_and_encoder(capsys, word, offered):
    words = ("train", "--view", f"audio=lfcc:{word}", "--dry-run")
    assert f"Did you mean {offered!r}?" in refused(capsys, *words)


def test_arguments_that_are_no_names_and_values(capsys):
    line = refused(capsys, "train", "--recipe", "demo", "--dry-run", "--loss", "acs:args=3")
    assert "loss.args: Input should be a valid dictionary; given: 3" in line
    line = refused(capsys, "train", "--recipe", "demo", "--dry-run", "--loss", "acs:name=oc")
    assert "acs:name=oc: write args={name: …} for an argument called 'name'" in line
