"""Which hidden states of a speech model become nodes: the last, one, several, all, a weighted sum.

States are counted as fairseq counts them: 0 is the input of the first transformer layer, k the
output of the k-th. The stack of all states ends with the final output instead, that is after the
last layer norm where a model has one (pre-norm models), as in transformers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

_NAMES = Literal["last", "all", "weighted"]
LayerName = int | list[int] | _NAMES


class LayerChoice(nn.Module):
    """Picks from the states of a model with `num_layers` layers.

    The weighted sum has one trainable weight a state, through a soft-max, equal at the start
    (Yang et al., "SUPERB: Speech processing Universal PERformance Benchmark", Interspeech 2021).
    """

    def __init__(self, layer: LayerName, num_layers: int):
        super().__init__()
        if not _exists(layer, num_layers):
            raise ValueError(
                f"layer is {layer!r}; it must be 'last', 'all', 'weighted', 0 to {num_layers}, or "
                "a list of these numbers"
            )
        self.layer = layer
        self.num_layers = num_layers
        if layer == "weighted":
            self.weights = nn.Parameter(torch.zeros(num_layers + 1))

    @property
    def stack(self) -> int | None:
        """How many states a stack has; None when one sequence of nodes is given."""
        if isinstance(self.layer, list):
            return len(self.layer)
        return self.num_layers + 1 if self.layer == "all" else None

    @property
    def needed(self) -> int:
        """How many transformer layers must be computed."""
        if isinstance(self.layer, list):
            return max(*self.layer, 1)
        return max(self.layer, 1) if isinstance(self.layer, int) else self.num_layers

    def used(self, state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
        """Weights without those of the layers above `needed`, named `prefix` and a number."""
        cut = tuple(f"{prefix}{index}." for index in range(self.needed, self.num_layers))
        return {key: tensor for key, tensor in state.items() if not key.startswith(cut)}

    def forward(self, states: Sequence[Tensor | None], final: Tensor) -> Tensor:
        """States 0 to L of (B, N, D) and the final output -> (B, N, D), or (B, L + 1, N, D).

        A state that is None, because layer drop skipped its layer, equals the one below it.
        """
        if self.layer == "last":
            return final
        known = list(_filled(states, final))
        if isinstance(self.layer, int):
            return known[self.layer]
        if isinstance(self.layer, list):
            return torch.stack([known[index] for index in self.layer], dim=1)
        known[-1] = final
        stack = torch.stack(known, dim=1)  # (B, L + 1, N, D)
        if self.layer == "all":
            return stack
        return torch.einsum("blnd,l->bnd", stack, self.weights.softmax(0).to(stack.dtype))


def _exists(layer: LayerName, num_layers: int) -> bool:
    if isinstance(layer, bool):
        return False
    if isinstance(layer, list):
        return bool(layer) and all(
            isinstance(one, int) and _exists(one, num_layers) for one in layer
        )
    return 0 <= layer <= num_layers if isinstance(layer, int) else layer in get_args(_NAMES)


def _filled(states: Sequence[Tensor | None], final: Tensor) -> Iterator[Tensor]:
    latest = next((state for state in states if state is not None), final)
    for state in states:
        latest = latest if state is None else state
        yield latest


@contextmanager
def recorded(layers: nn.ModuleList) -> Iterator[list[Tensor | None]]:
    """While open, what passes through `layers` is kept: input of the first, output of each."""
    states: list[Tensor | None] = [None] * (len(layers) + 1)

    def see(index: int) -> Callable[..., None]:
        def hook(_: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
            states[index] = args[0] if args else kwargs["hidden_states"]
            states[index + 1] = output[0] if isinstance(output, tuple) else output

        return hook

    handles = [
        layer.register_forward_hook(see(index), with_kwargs=True)
        for index, layer in enumerate(layers)
    ]
    try:
        yield states
    finally:
        for handle in handles:
            handle.remove()
