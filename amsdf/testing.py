"""What every encoder, head and loss must pass: used by our tests and by plugin authors.

from amsdf.testing import check_encoder
def test_my_encoder(): check_encoder(MyEncoder())
"""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from amsdf.contracts import (
    BONAFIDE,
    SAMPLE_RATE,
    Encoder,
    Head,
    Loss,
    ViewShape,
    has_parameter,
    mask_of,
)

#: Differences allowed, as shares of the largest value. Batch mates and padding change the order in
#: which float32 sums are taken, over as many layers as a plugin has.
TOLERANCE = 1e-5
#: A processor does not promise equal bits for the same call: with gradients recorded, or with the
#: same numbers elsewhere in memory, it may take another kernel.
REPEATED = 1e-6


def waveforms(batch: int = 3, samples: int = SAMPLE_RATE, seed: int = 0) -> Tensor:
    """Speech-like noise (batch, samples): a loud and soft alternation with a few harmonics."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / SAMPLE_RATE
    pitch = 100 + 100 * torch.rand(batch, 1, generator=generator)
    voice = torch.stack([torch.sin(2 * math.pi * k * pitch * time) / k for k in range(1, 6)]).sum(0)
    noise = torch.randn(batch, samples, generator=generator)
    envelope = 0.2 + 0.8 * torch.sin(2 * math.pi * 3 * time) ** 2
    return 0.1 * envelope * (voice + 0.3 * noise)


def check_encoder(encoder: Encoder, samples: int = 64_600) -> None:
    """Shapes, determinism, independence of batch mates, gradient, saving, short and long input.

    Half precision must stay finite; whole utterances are checked where `forward` takes `lengths`.
    """
    assert isinstance(encoder, Encoder), f"{type(encoder).__name__} is no amsdf.Encoder"
    encoder.eval()
    wave = waveforms(3, samples)
    nodes = _check_nodes(encoder, wave)
    _same(encoder(wave), nodes, "two passes in evaluation mode differ", REPEATED)
    _same(encoder(wave[1:2]), nodes[1:2], "a clip alone differs from the clip in a batch")
    _check_gradient(encoder, wave[:2])
    _check_state(encoder, lambda module: module(wave[:1]))
    _check_half(lambda: encoder(wave[:1]))
    for seconds in (0.1, 20):
        _check_nodes(encoder, waveforms(1, int(seconds * SAMPLE_RATE)))
    if has_parameter(encoder.forward, "lengths"):
        _check_padding(encoder, samples)


def _check_nodes(encoder: Encoder, wave: Tensor) -> Tensor:
    with torch.no_grad():
        nodes = encoder(wave)
    shape = tuple(nodes.shape)
    where = f"{type(encoder).__name__} of {wave.shape[1]} samples gave {shape}"
    if encoder.layers is None:
        assert nodes.dim() == 3, f"{where}; without `layers` it must be (B, N, D)"
    else:
        assert nodes.dim() == 4, f"{where}; with `layers` it must be (B, L, N, D)"
        assert shape[1] == encoder.layers, f"{where}; declared layers: {encoder.layers}"
    assert shape[0] == len(wave) and shape[-2] >= 1, f"{where}; no node for a clip"
    assert shape[-1] == encoder.dim, f"{where}; declared dim: {encoder.dim}"
    assert torch.isfinite(nodes).all(), f"{where}; not all finite"
    return nodes


def _check_padding(encoder: Encoder, samples: int) -> None:
    short, long = samples // 2, samples
    lengths = torch.tensor([short, long])
    padded = waveforms(2, long)
    padded[0, short:] = 0
    with torch.no_grad():
        together = encoder(padded, lengths)
        alone = encoder(padded[:1, :short], lengths[:1])
    counts = encoder.node_counts(lengths)
    count = int(counts[0]) if counts is not None else alone.shape[-2]
    assert 1 <= count <= alone.shape[-2], f"node_counts({short}) = {count} of {alone.shape[-2]}"
    _same(
        together[0, ..., :count, :],
        alone[0, ..., :count, :],
        "a padded clip differs from the clip alone",
    )


def check_head(head: Head, views: Mapping[str, ViewShape], nodes: int = 50) -> None:
    """Shape, determinism, independence of batch mates, gradient to every view, masks, saving.

    Half precision must stay finite, and a batch of one clip must train: the last one of an epoch
    may be that. Masks are checked where `forward` takes them.
    """
    assert isinstance(head, Head), f"{type(head).__name__} is no amsdf.Head"
    head.eval()
    given = view_tensors(views, nodes)
    embedding = head(given).detach()
    expected = (3, head.embedding_dim)
    assert tuple(embedding.shape) == expected, f"gave {tuple(embedding.shape)}, not {expected}"
    _same(head(given), embedding, "two passes in evaluation mode differ", REPEATED)
    alone = head({name: view[1:2] for name, view in given.items()})
    _same(alone, embedding[1:2], "a clip alone differs from the clip in a batch")
    _check_every_view(head, given)
    _check_one_clip(head, {name: view[:1] for name, view in given.items()})
    _check_state(head, lambda module: module(given))
    _check_half(lambda: head(given))
    if has_parameter(head.forward, "masks"):
        _check_masks(head, given)


def view_tensors(views: Mapping[str, ViewShape], nodes: int = 50, batch: int = 3) -> dict:
    """Random views (B, N, D) or (B, L, N, D) of the given shapes."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(
            (batch, nodes, shape.dim)
            if shape.layers is None
            else (batch, shape.layers, nodes, shape.dim),
            generator=generator,
        )
        for name, shape in views.items()
    }


def _check_every_view(head: Head, given: Mapping[str, Tensor]) -> None:
    leaves = {name: view.clone().requires_grad_() for name, view in given.items()}
    head(leaves).square().sum().backward()
    for name, leaf in leaves.items():
        assert leaf.grad is not None and leaf.grad.abs().sum() > 0, f"no gradient to view {name!r}"


def _check_one_clip(head: Head, given: Mapping[str, Tensor]) -> None:
    twin = copy.deepcopy(head).train()
    try:
        twin(given).square().sum().backward()
    except ValueError as error:
        raise AssertionError(f"a batch of one clip does not train: {error}") from None
    gradients = [p.grad for p in twin.parameters() if p.grad is not None]
    assert all(grad.isfinite().all() for grad in gradients), "one clip gives no finite gradient"


def _check_masks(head: Head, given: Mapping[str, Tensor]) -> None:
    count = next(iter(given.values())).shape[-2] * 3 // 5
    padded = {name: view.clone() for name, view in given.items()}
    for view in padded.values():
        view[0, ..., count:, :] = 100.0  # what is masked must not matter
    counts = torch.tensor([count, *(view_nodes(given) for _ in range(2))])
    masks = {name: mask_of(counts, view.shape[-2]) for name, view in padded.items()}
    together = head(padded, masks)
    alone = head(
        {name: view[:1, ..., :count, :] for name, view in padded.items()},
        {name: mask[:1, :count] for name, mask in masks.items()},
    )
    _same(together[:1], alone, "a masked clip differs from the clip alone")


def view_nodes(given: Mapping[str, Tensor]) -> int:
    """The node count of the first view."""
    return next(iter(given.values())).shape[-2]


def check_loss(loss: Loss, embedding_dim: int) -> None:
    """Scalar, finite, learns to score bona fide higher, refuses strange labels, saves its state."""
    assert isinstance(loss, Loss), f"{type(loss).__name__} is no amsdf.Loss"
    generator = torch.Generator().manual_seed(2)
    labels = torch.tensor([1, 0, 0, 1, 0, 1, 0, 0])
    embeddings = torch.randn(8, embedding_dim, generator=generator)
    embeddings[labels == BONAFIDE] += 1.0
    state = torch.get_rng_state()
    value = (
        loss.train()(embeddings, labels, embeddings)
        if loss.wants_pairs
        else loss(embeddings, labels)
    )
    assert value.dim() == 0 and torch.isfinite(value), f"gave {value}"
    assert torch.equal(state, torch.get_rng_state()), "the loss touched the global random state"
    for wrong in (labels.float(), labels.bool(), labels[:, None], labels + 1):
        try:
            loss(embeddings, wrong)
        except ValueError:
            continue
        raise AssertionError(f"accepted labels {wrong.dtype} {tuple(wrong.shape)} {wrong[:3]}")
    _check_learns(loss, embeddings, labels)
    _check_state(loss.eval(), lambda module: module.score(embeddings))


def _check_learns(loss: Loss, embeddings: Tensor, labels: Tensor) -> None:
    points = nn.Parameter(embeddings.clone())
    optimizer = torch.optim.Adam([points, *loss.parameters()], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(points, labels, points) if loss.wants_pairs else loss(points, labels)
        value.backward()
        optimizer.step()
    scores = loss.eval().score(points.detach())
    assert scores.shape == labels.shape, f"score gave {tuple(scores.shape)}"
    assert scores[labels == 1].mean() > scores[labels == 0].mean(), "spoof scores higher"


def _check_gradient(module: nn.Module, wave: Tensor) -> None:
    trainable = [p for p in module.parameters() if p.requires_grad]
    if not trainable:
        return  # a fixed feature has nothing to learn
    module.zero_grad()
    module(wave).square().mean().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in trainable), "no gradient"
    module.zero_grad()


def _check_state(module: nn.Module, run: Callable[[Any], Tensor]) -> None:
    twin = copy.deepcopy(module)
    for tensor in twin.state_dict().values():
        if tensor.is_floating_point():
            tensor.fill_(0.5)
    twin.load_state_dict(module.state_dict(), strict=True)
    with torch.no_grad():
        _same(run(twin), run(module), "a reloaded state gives other numbers", REPEATED)


def _check_half(run: Callable[[], Tensor]) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.isfinite(run()).all(), "half precision (bfloat16) gives infinite numbers"


def difference(given: Tensor, expected: Tensor) -> float:
    """The largest difference of two tensors of one shape, as a share of the largest value expected.

    Where nothing but zeros is expected, the largest difference itself.
    """
    given, expected = given.detach().double(), expected.detach().double()
    largest = float(expected.abs().max())
    return float((given - expected).abs().max()) / (largest or 1.0)


def _same(given: Tensor, expected: Tensor, message: str, tolerance: float = TOLERANCE) -> None:
    assert given.shape == expected.shape, f"{message}: {given.shape} against {expected.shape}"
    found = difference(given, expected)
    assert found <= tolerance, f"{message} by {found:.2e} of the largest value"
