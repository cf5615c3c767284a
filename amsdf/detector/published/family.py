"""`Family`: how the weights of a published system are called, and how they are called here.

A translation is pure: weights under the published names -> an experiment and the weights under our
names. A weight that no rule knows keeps its name, so that strict loading refuses it; one without
influence on the output is left out by its name.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from amsdf import registry
from amsdf.detector.published.speech import architecture

State = Mapping[str, Tensor]
Speech = Mapping[str, Any]

#: Words of the graph layers, the same in AASIST, SSL_Anti-spoofing and AMSDF.
GRAPH_WORDS = {
    "att_proj": "pair_linear",
    "att_weight": "pair_vector",
    "att_weight11": "pair_vector11",
    "att_weight12": "pair_vector12",
    "att_weight22": "pair_vector22",
    "att_projM": "master_linear",
    "att_weightM": "master_vector",
    "proj_type1": "linear_type1",
    "proj_type2": "linear_type2",
    "proj_with_att": "linear_attended",
    "proj_without_att": "linear_self",
    "proj_with_attM": "master_attended",
    "proj_without_attM": "master_self",
    "proj": "score",
    "bn": "norm",
}


@dataclass(frozen=True)
class Family:
    """One published system; all functions are pure."""

    name: str
    #: Beginning of a name that tells this family from those after it.
    mark: str
    #: Beginnings of names, whole words, theirs -> ours.
    names: Mapping[str, str]
    #: (their weights, arguments of the speech model) -> experiment.
    describe: Callable[[State, Speech], dict[str, Any]]
    #: Beginnings of the names of weights without influence.
    dropped: Collection[str] = ()
    #: Whether it has a speech model.
    speech: bool = False
    #: What stands before the names of that model; none: it lies in another file.
    inside: str | None = None
    #: Which of its two classes is bona fide; none: its authors contradict themselves.
    bonafide_class: int | None = 1

    def translate(
        self, state: State, speech: Speech | None = None
    ) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Published weights -> nested dictionaries of an experiment, and weights under our names.

        Args:
            state: The weights as published.
            speech: Arguments of its speech model; without them, its shapes decide.
        """
        model, rest = self._parted(state)
        if self.speech and speech is None:
            if not model:
                raise ValueError(
                    "comes without its speech model (XLS-R); `import` it with --ssl PATH"
                )
            speech = architecture(model)
        renamed = _renamed(rest, self)
        if model:
            weights = registry.load("encoders", "xlsr").translate_fairseq(model)
            renamed |= {f"encoders.text.model.{key}": value for key, value in weights.items()}
        return self.describe(state, speech or {}), renamed

    def _parted(self, state: State) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The speech model's weights under its own names, and the rest."""
        rest = dict(state)
        if self.inside is None:
            return {}, rest
        model = [key for key in state if key.startswith(self.inside)]
        return {key[len(self.inside) :]: rest.pop(key) for key in model}, rest

    def published_name(self, name: str) -> str:
        """Our name of a weight -> theirs; that of a speech model stays."""
        ours = max(
            (ours for ours in self.names.values() if _under(name, ours)), key=len, default=""
        )
        if not ours:
            return name
        theirs = next(theirs for theirs, target in self.names.items() if target == ours)
        words = {ours: theirs for theirs, ours in GRAPH_WORDS.items()}
        return theirs + _worded(name[len(ours) :], words if ours.startswith("head.") else {})


def _under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def _worded(name: str, words: Mapping[str, str]) -> str:
    return ".".join(words.get(word, word) for word in name.split("."))


def _renamed(state: State, family: Family) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if any(_under(key, prefix) for prefix in family.dropped):
            continue
        prefix = max((name for name in family.names if _under(key, name)), key=len, default="")
        ours = family.names.get(prefix, "")
        name = ours + _worded(key[len(prefix) :], GRAPH_WORDS if ours.startswith("head.") else {})
        if name in renamed:
            raise ValueError(f"{key!r} and another weight both mean {name!r}")
        renamed[name] = tensor
    return renamed
