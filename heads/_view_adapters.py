"""From the nodes of any encoder to the graph of a head: the one view, stacks, widths, lengths."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amsdf.contracts import ViewShape, mask_of
from amsdf.registry import nearest
from heads._graph import Graph, real_nodes


def only_view(views: Mapping[str, ViewShape], stack: bool) -> tuple[str, ViewShape]:
    """The name and shape of the single view of a head, which must or must not be a stack."""
    if len(views) != 1:
        raise ValueError(f"takes exactly one view, given {len(views)}: {', '.join(views)}")
    ((name, shape),) = views.items()
    if stack and shape.layers is None:
        raise ValueError(
            f"needs a stack (B, L, N, D), but view {name!r} gives (B, N, {shape.dim}): "
            "choose an encoder output with layers or bands"
        )
    if not stack and shape.layers is not None:
        raise ValueError(
            f"needs nodes (B, N, D), but view {name!r} gives a stack of {shape.layers} layers: "
            "choose a single layer"
        )
    return name, shape


class LayerMix(nn.Module):
    """A learned weighted mean over the layers of a stack; nodes without layers pass unchanged."""

    def __init__(self, layers: int | None) -> None:
        super().__init__()
        # Equal weights to begin with: the soft-max of zeros.
        self.weights = nn.Parameter(torch.zeros(layers)) if layers is not None else None

    def forward(self, view: Tensor) -> Tensor:
        """(B, L, N, D) or (B, N, D) -> (B, N, D)."""
        if self.weights is None:
            return view
        return torch.einsum("l,blnd->bnd", self.weights.softmax(dim=0), view)


def average_to(graph: Graph, num_nodes: int) -> Graph:
    """Average neighbouring nodes until at most `num_nodes` are left: (B, N, D) -> (B, M, D).

    A clip of n real nodes is cut into min(n, num_nodes) nearly equal spans, whatever its padding.
    """
    counts = real_nodes(graph).sum(dim=1)  # (B,)
    targets = counts.clamp(max=num_nodes)
    length = min(graph.nodes.shape[1], num_nodes)

    # From a clip's own count and not from the padded length: a clip in a batch is cut as if alone.
    index = torch.arange(length, device=counts.device)
    start = index * counts[:, None] // targets[:, None]  # (B, M)
    end = -((index + 1) * -counts[:, None] // targets[:, None])  # rounded up

    # One matrix product for all spans of all clips: a row has 1 / length on its span, else 0.
    position = torch.arange(graph.nodes.shape[1], device=counts.device)
    inside = (position >= start[..., None]) & (position < end[..., None])  # (B, M, N)
    inside &= (index < targets[:, None])[..., None]
    weights = inside / inside.sum(dim=-1, keepdim=True).clamp(min=1)
    nodes = weights.to(graph.nodes.dtype) @ graph.nodes
    return Graph(nodes, None if graph.mask is None else mask_of(targets, length))


class LinearAdapter(nn.Module):
    """Any view to a graph of known width and at most so many nodes.

    A linear layer, averaging of neighbouring nodes, layer norm over the features, SELU.

    Args:
        shape: What the encoder gives.
        width: Width of the nodes returned.
        nodes: Most nodes returned.
    """

    def __init__(self, shape: ViewShape, width: int, nodes: int) -> None:
        super().__init__()
        self.num_nodes = nodes
        self.mix = LayerMix(shape.layers)
        self.linear = nn.Linear(shape.dim, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, view: Tensor, mask: Tensor | None = None) -> Graph:
        """(B, N, D) or (B, L, N, D) -> (B, min(N, nodes), width)."""
        nodes = self.linear(self.mix(view))
        if mask is not None:
            nodes = nodes.masked_fill(~mask[..., None], 0)
        graph = average_to(Graph(nodes, mask), self.num_nodes)
        return Graph(F.selu(self.norm(graph.nodes)), graph.mask)


class IdentityAdapter(nn.Module):
    """Nodes as they come; their width must already be that of the graph."""

    def __init__(self, shape: ViewShape, width: int, nodes: int) -> None:
        super().__init__()
        if shape.layers is not None or shape.dim != width:
            raise ValueError(
                f"adapter 'identity' needs nodes (B, N, {width}), given width {shape.dim}"
                f" and {shape.layers or 'no'} layers: use adapter 'linear'"
            )

    def forward(self, view: Tensor, mask: Tensor | None = None) -> Graph:
        """(B, N, D) -> (B, N, D)."""
        return Graph(view if mask is None else view.masked_fill(~mask[..., None], 0), mask)


class MaxPoolAdapter(nn.Module):
    """AMSDF's way from text and emotion to nodes; it fixes the length of the clip.

    A linear layer where asked for, max pooling over (time, feature), batch norm whose channels are
    the time positions, SELU.

    Args:
        shape: What the encoder gives.
        width: Width of the nodes returned.
        nodes: Exact number of nodes returned.
        time: Pooling window and stride in time.
        feature: Pooling window and stride over features.
        linear: Width after the linear layer; without it there is none.
    """

    def __init__(
        self,
        shape: ViewShape,
        width: int,
        nodes: int,
        *,
        time: int = 1,
        feature: int = 1,
        linear: int | None = None,
    ) -> None:
        super().__init__()
        if shape.layers is not None or (linear or shape.dim) // feature != width:
            raise ValueError(
                f"adapter 'max-pool' cannot make width {width} of {linear or shape.dim} "
                f"features by {feature}: change linear or feature, or use adapter 'linear'"
            )
        self.num_nodes = nodes
        self.window = (time, feature)
        self.linear = nn.Identity() if linear is None else nn.Linear(shape.dim, linear)
        self.norm = nn.BatchNorm1d(nodes)

    def forward(self, view: Tensor, mask: Tensor | None = None) -> Graph:
        """(B, N, D) -> (B, nodes, width)."""
        if mask is not None and not bool(mask.all()):
            raise ValueError(
                "adapter 'max-pool' works on clips of one length only: "
                "set clip.samples, or use adapter 'linear'"
            )

        pooled = F.max_pool2d(self.linear(view), self.window)
        # The norm has one channel for each moment of the clip, so no other length fits.
        if pooled.shape[1] != self.num_nodes:
            raise ValueError(
                f"adapter 'max-pool' needs {self.num_nodes * self.window[0]} nodes, given "
                f"{view.shape[1]}: fit clips to 64600 samples, or use adapter 'linear'"
            )
        return Graph(F.selu(self.norm(pooled)))


ADAPTERS: dict[str, type[nn.Module]] = {
    "linear": LinearAdapter,
    "identity": IdentityAdapter,
    "max-pool": MaxPoolAdapter,
}


def build_adapter(
    choice: str | Mapping[str, Any], shape: ViewShape, width: int, nodes: int
) -> nn.Module:
    """The adapter of one view, chosen by name or by `{name: ..., argument: ...}`."""
    arguments = {"name": choice} if isinstance(choice, str) else dict(choice)
    name = arguments.pop("name", "linear")
    if name not in ADAPTERS:
        raise ValueError(
            f"no adapter named {name!r}.{nearest(name, ADAPTERS)} Available: {', '.join(ADAPTERS)}"
        )
    return ADAPTERS[name](shape, width, nodes, **arguments)
