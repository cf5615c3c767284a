"""Products by the quicker library: the same numbers and gradients as torch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amsdf import products
from amsdf.plain import plain_way
from amsdf.products import QuickLinears, linear, product


@pytest.fixture(autouse=True)
def quicker(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """oneDNN computes whatever this processor is; gives the shapes that it was asked for."""
    asked: list[tuple[int, ...]] = []
    compute = products._onednn

    def counted(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        asked.append(tuple(weight.shape))
        return compute(inputs, weight, bias)

    monkeypatch.setattr(products, "onednn_is_quicker", lambda: True)
    monkeypatch.setattr(products, "_onednn", counted)
    return asked


@pytest.mark.any_processor
@pytest.mark.parametrize("shape", [(7, 160), (2, 5, 160)])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Linear(160, 128, bias=bias), torch.randn(shape, requires_grad=True)
    weights = torch.randn(*shape[:-1], 128)
    wanted = [inputs, *layer.parameters()]

    ours = linear(inputs, *layer.parameters())
    theirs = F.linear(inputs, *layer.parameters())
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    given, expected = (
        torch.autograd.grad((each * weights).sum(), wanted) for each in (ours, theirs)
    )
    torch.testing.assert_close(given, expected, atol=1e-4, rtol=1e-5)


@pytest.mark.any_processor
def test_a_product_takes_transposed_matrices() -> None:
    torch.manual_seed(0)
    left, right = torch.randn(40, 30), torch.randn(40, 20)
    torch.testing.assert_close(product(left.t(), right.t()), left.t() @ right, atol=1e-5, rtol=1e-5)


def test_frozen_weights_have_no_gradient() -> None:
    layer = nn.Linear(160, 128).requires_grad_(False)
    inputs = torch.randn(3, 160, requires_grad=True)
    linear(inputs, layer.weight, layer.bias).sum().backward()
    assert inputs.grad is not None and layer.weight.grad is None


def test_only_large_float32_layers_on_cpus_go_that_way(quicker) -> None:
    small, large = nn.Linear(64, 64), nn.Linear(160, 128)
    with QuickLinears():
        small(torch.randn(2, 64))
        large.double()(torch.randn(2, 160).double())
        large.float()
        with torch.autocast("cpu", torch.bfloat16):
            assert large(torch.randn(2, 160)).dtype == torch.bfloat16
        with plain_way():
            large(torch.randn(2, 160))
        assert not quicker
        large(torch.randn(2, 160))
    large(torch.randn(2, 160))
    assert quicker == [(128, 160)]


@pytest.mark.parametrize(("mkl", "onednn", "quick"), [(2.2, 1.0, True), (1.2, 1.0, False)])
def test_chance_does_not_decide(mkl, onednn, quick, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(products, "_quickest", lambda ways: [mkl, onednn])
    assert products.onednn_is_quicker.__wrapped__() is quick
