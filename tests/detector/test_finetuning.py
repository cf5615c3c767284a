"""Freezing, partial unfreezing, adapters, checkpointing and rates, on speech models and a toy."""

import copy

import pytest
import torch
from golden_names import close
from torch import Tensor, nn

from amsdf import products
from amsdf.config import View
from amsdf.contracts import Encoder
from amsdf.detector import finetuning
from amsdf.detector.inference.precision import encode
from amsdf.testing import REPEATED, check_encoder, waveforms
from encoders.xlsr import XLSREncoder

WAVE = waveforms(2, 4000)


class Toy(Encoder):
    """Four linear blocks; the middle ones with dropout and a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = 4
        self.first = nn.Linear(10, 4)
        self.second = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
        self.third = nn.Sequential(nn.BatchNorm1d(4), nn.Tanh())
        self.last = nn.Linear(4, 4)

    def forward(self, waveform: Tensor) -> Tensor:
        nodes = self.second(
            self.first(waveform[:, : waveform.shape[1] // 10 * 10].unflatten(1, (-1, 10)))
        )
        return self.last(self.third(nodes.transpose(1, 2)).transpose(1, 2))


def view(**settings) -> View:
    return View(encoder="toy", **settings)


def xlsr(**settings) -> XLSREncoder:
    torch.manual_seed(0)
    encoder = XLSREncoder(
        hidden=16,
        layers_count=3,
        heads=2,
        ffn=32,
        conv_dims=(8,) * 7,
        pos_kernel=8,
        pos_groups=2,
        dropout=0.2,
    )
    finetuning.apply(encoder, view(**settings))
    return encoder


def trained(encoder: nn.Module) -> set[str]:
    return {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}


def step(encoder: Encoder, rate: float = 0.1) -> None:
    groups = finetuning.parameter_groups(encoder, view(), rate)
    encoder(WAVE).square().mean().backward()
    torch.optim.Adam(groups).step()


def test_frozen_means_frozen():
    """Trap: frozen encoder in train mode. Two training-mode passes are equal, without gradient."""
    frozen = view(freeze=True)
    encoder = xlsr(freeze=True).train()
    finetuning.hold_frozen(encoder, frozen, 0)
    assert not any(module.training for module in encoder.modules())
    close(encoder(WAVE), encoder(WAVE), REPEATED)
    assert not encoder(WAVE).requires_grad
    assert finetuning.parameter_groups(encoder, frozen, 1e-4) == []


def test_unfreezes_at_its_epoch():
    settings = view(freeze=True, unfreeze_epoch=2)
    encoder = xlsr(freeze=True, unfreeze_epoch=2)
    assert [finetuning.is_frozen(settings, epoch) for epoch in range(4)] == [1, 1, 0, 0]
    assert not finetuning.set_trainable(encoder, settings, 1) and not trained(encoder)
    assert finetuning.set_trainable(encoder, settings, 2) and trained(encoder)
    assert not finetuning.set_trainable(encoder, settings, 3)
    finetuning.hold_frozen(encoder.train(), settings, 2)
    assert encoder.training


def test_last_blocks_only():
    encoder = xlsr(unfreeze_last=1).train()
    finetuning.hold_frozen(encoder, view(unfreeze_last=1), 0)
    parts = {name.rsplit(".", 2)[0] for name in trained(encoder)}
    assert all("layers.2" in part or part == "model.encoder" for part in parts)
    assert not encoder.model.feature_extractor.training
    assert not encoder.model.encoder.layers[1].training and encoder.model.encoder.layers[2].training
    before = copy.deepcopy(encoder.state_dict())
    step(encoder)
    moved = {
        key for key, value in encoder.state_dict().items() if not torch.equal(value, before[key])
    }
    assert moved and moved <= trained(encoder)


def test_rates_fall_from_block_to_block():
    encoder = xlsr()
    settings = view(learning_rate=0.1, layer_decay=0.5)
    groups = finetuning.parameter_groups(encoder, settings, 1e-4)
    assert [group["lr"] for group in groups] == [0.1 * 0.5**depth for depth in range(6)]
    rate_of = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert rate_of[id(encoder.model.encoder.layer_norm.weight)] == 0.1
    assert rate_of[id(encoder.model.encoder.layers[0].layer_norm.weight)] == 0.1 * 0.5**2
    assert len(rate_of) == len(list(encoder.parameters()))
    (only,) = finetuning.parameter_groups(encoder, view(), 1e-4)
    assert only["lr"] == 1e-4


def test_adapters_learn_and_the_rest_stays():
    encoder = xlsr(lora_rank=2)
    plain = xlsr()
    with torch.no_grad():
        close(encoder.eval()(WAVE), plain.eval()(WAVE))
    assert trained(encoder) == {name for name in encoder.state_dict() if "lora_" in name}
    before = copy.deepcopy(encoder.state_dict())
    for _ in range(2):
        step(encoder.train())
    after = encoder.state_dict()
    assert all(torch.equal(after[key], before[key]) == ("lora_" not in key) for key in after)
    check_encoder(encoder, 8000)


def test_pretrained_weights_load_beneath_adapters():
    encoder, plain = xlsr(lora_rank=2), xlsr()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.mul_(1.1)
    with finetuning.without_adapters(encoder):
        encoder.load_state_dict(plain.state_dict(), strict=True)
    assert any("lora_A" in key for key in encoder.state_dict())
    close(encoder.eval()(WAVE), plain.eval()(WAVE))


def test_adapters_only_on_layers_that_are_called():
    """A fused function takes the weights of attention's output layer without calling it."""

    class Fused(Encoder):
        def __init__(self) -> None:
            super().__init__()
            self.dim = 4
            self.front = nn.Linear(10, 4)
            self.block = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)

        def forward(self, waveform: Tensor) -> Tensor:
            return self.block(self.front(waveform.unflatten(1, (-1, 10))))

    encoder = Fused()
    finetuning.apply(encoder, view(lora_rank=2))
    assert {name.split(".lora_")[0] for name in trained(encoder)} == {
        "front",
        "block.linear1",
        "block.linear2",
    }


def test_adapters_need_linear_layers_and_peft(monkeypatch):
    with pytest.raises(ValueError, match="no linear layer"):

        class Still(Toy):
            def forward(self, waveform: Tensor) -> Tensor:
                return waveform[:, None, :4]

        finetuning.apply(Still(), view(lora_rank=2))

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(finetuning, "import_module", absent)
    with pytest.raises(ValueError, match=r"pip install 'amsdf\[peft\]'"):
        finetuning.apply(Toy(), view(lora_rank=2))


def test_checkpointing_gives_the_same_gradients():
    plain, recomputed = xlsr(), xlsr(gradient_checkpointing=True)
    for encoder in (plain, recomputed, copy.deepcopy(recomputed)):
        torch.manual_seed(3)  # the dropout of both passes
        encoder.train()(WAVE).square().mean().backward()
    for first, second in zip(plain.parameters(), recomputed.parameters(), strict=True):
        close(second.grad, first.grad)
    assert list(plain.state_dict()) == list(recomputed.state_dict())
    close(recomputed.eval()(WAVE), plain.eval()(WAVE), REPEATED)


def test_checkpointed_blocks_take_products_alike_in_both_passes(monkeypatch):
    """The second pass is made in the backward pass, where nothing of the caller is open."""
    monkeypatch.setattr(products, "onednn_is_quicker", lambda: True)
    monkeypatch.setattr(products, "LEAST_WEIGHTS", 1)
    encoder = xlsr(gradient_checkpointing=True).train()
    encode("text", encoder, WAVE, None).square().mean().backward()
    assert all(each.grad is not None for each in encoder.blocks()[-1].parameters())


def test_checkpointing_spares_batch_norms():
    """A second pass would move the running statistics twice."""
    encoder, plain = Toy(), Toy()
    plain.load_state_dict(encoder.state_dict())
    finetuning.apply(encoder, view(gradient_checkpointing=True))
    for module in (encoder, plain):
        torch.manual_seed(0)
        module.train()(WAVE).sum().backward()
    close(encoder.third[0].running_mean, plain.third[0].running_mean, REPEATED)
    assert "forward" in vars(encoder.second) and "forward" not in vars(encoder.third)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unfreeze_epoch": 2}, "give freeze: true"),
        ({"freeze": True, "unfreeze_last": 1}, "contradict"),
        ({"freeze": True, "lora_rank": 2}, "contradict"),
        ({"lora_rank": 2, "unfreeze_last": 1}, "leave unfreeze_last out"),
        ({"unfreeze_last": 9}, "it has 4 blocks"),
    ],
)
def test_contradictions_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        finetuning.apply(Toy(), view(**settings))
