"""Adapters of packages that are not there: a clear message, and their own code beside stand-ins.

The stand-ins are networks of the shape that torchaudio and fairseq document, not mocks of ours.
"""

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import pytest
import torch
from golden_names import close
from kept_files import golden_path
from torch import Tensor, nn

from amsdf import registry
from amsdf.testing import REPEATED, check_encoder, waveforms
from encoders.xlsr import XLSREncoder

CONVOLUTIONS = "[(8, 10, 5)] + [(8, 3, 2)] * 4 + [(8, 2, 2)] * 2"


class Block(nn.Module):
    """One convolution of the front, with the attributes torchaudio's has."""

    def __init__(self, channels: int, kernel: int, stride: int):
        super().__init__()
        self.kernel_size, self.stride = kernel, stride
        self.conv = nn.Conv1d(channels, 8, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).tanh()


def front() -> nn.ModuleList:
    shapes = [(1, 10, 5), *[(8, 3, 2)] * 4, *[(8, 2, 2)] * 2]
    return nn.ModuleList(Block(*shape) for shape in shapes)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, x: Tensor, **_: object) -> tuple[Tensor, None]:
        return x + self.linear(x).tanh(), None


class TorchaudioModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.feature_extractor = nn.Module()
        self.feature_extractor.conv_layers = front()
        self.encoder = nn.Module()
        self.encoder.feature_projection = nn.Module()
        self.encoder.feature_projection.projection = nn.Linear(8, 6)
        self.encoder.transformer = nn.Module()
        self.encoder.transformer.pos_conv_embed = nn.Linear(6, 6)
        self.encoder.transformer.layers = nn.ModuleList([Layer(), Layer()])
        self.encoder.transformer.layer_norm = nn.LayerNorm(6)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, None]:
        x = waveforms[:, None]
        for block in self.feature_extractor.conv_layers:
            x = block(x)
        x = self.encoder.feature_projection.projection(x.transpose(1, 2))
        x = x + self.encoder.transformer.pos_conv_embed(x)
        for layer in self.encoder.transformer.layers:
            x, _ = layer(x)
        return self.encoder.transformer.layer_norm(x), None


@dataclass
class FairseqConfig:
    conv_feature_layers: str = CONVOLUTIONS
    encoder_embed_dim: int = 6
    encoder_layers: int = 2


class FairseqModel(nn.Module):
    def __init__(self, cfg: FairseqConfig):
        super().__init__()
        self.settings = cfg
        self.feature_extractor = front()
        self.post_extract_proj = nn.Linear(8, 6)
        self.quantizer: nn.Module | None = nn.Linear(2, 2)
        self.encoder = nn.Module()
        self.encoder.pos_conv = nn.Linear(6, 6)
        self.encoder.layers = nn.ModuleList(Layer() for _ in range(cfg.encoder_layers))

    def remove_pretraining_modules(self) -> None:
        self.quantizer = None

    def forward(self, source: Tensor, mask: bool, features_only: bool) -> dict[str, Tensor]:
        assert features_only and not mask
        x = source[:, None]
        for block in self.feature_extractor:
            x = block(x)
        x = self.post_extract_proj(x.transpose(1, 2))
        x = (x + self.encoder.pos_conv(x)).transpose(0, 1)
        for layer in self.encoder.layers:
            x, _ = layer(x, self_attn_padding_mask=None)
        return {"x": x.transpose(0, 1)}


def stand_in(monkeypatch, names: dict[str, ModuleType | SimpleNamespace], adapter: str):
    for name, module in names.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, adapter, raising=False)
    module = importlib.import_module(adapter)
    del sys.modules[adapter]  # by hand: monkeypatch would bring it back, and with it the stand-in
    return module


@pytest.fixture
def torchaudio_encoder(monkeypatch):
    models = SimpleNamespace(wav2vec2_base=TorchaudioModel)
    package = ModuleType("torchaudio")
    package.models = models
    names = {"torchaudio": package, "torchaudio.models": models}
    return stand_in(monkeypatch, names, "encoders.torchaudio_bundle").TorchaudioBundleEncoder


@pytest.fixture
def fairseq_encoder(monkeypatch):
    wav2vec = SimpleNamespace(Wav2Vec2Config=FairseqConfig, Wav2Vec2Model=FairseqModel)
    names = {
        "fairseq": ModuleType("fairseq"),
        "fairseq.models": ModuleType("fairseq.models"),
        "fairseq.models.wav2vec": wav2vec,
    }
    return stand_in(monkeypatch, names, "encoders.fairseq_model").FairseqModelEncoder


@pytest.mark.parametrize(
    ("name", "package"), [("torchaudio-bundle", "torchaudio"), ("fairseq-model", "fairseq")]
)
def test_absent_package_is_a_clear_message(name, package):
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    remedy = {"torchaudio": "pip install 'amsdf[torchaudio]'", "fairseq": "fairseq-fixed==0.12.3.1"}
    with pytest.raises(ValueError, match=f"{name}' needs the package") as seen:
        registry.load("encoders", name)
    assert remedy[package] in str(seen.value) and "\n" not in str(seen.value)


@pytest.mark.parametrize("layer", ["last", 0, 2, "all", "weighted"])
@pytest.mark.parametrize("adapter", ["torchaudio_encoder", "fairseq_encoder"])
def test_conformance(adapter, layer, request):
    encoder = request.getfixturevalue(adapter)(layer=layer, normalize=True)
    check_encoder(encoder, 8000)
    assert len(encoder.blocks()) == 5


@pytest.mark.parametrize("adapter", ["torchaudio_encoder", "fairseq_encoder"])
def test_states_are_counted_as_everywhere(adapter, request):
    kind = request.getfixturevalue(adapter)
    torch.manual_seed(0)
    stack = kind(layer="all").eval()
    wave = waveforms(2, 4000)
    states = stack(wave)
    first = kind(layer=1).eval()
    first.load_state_dict(stack.state_dict())
    close(first(wave), states[:, 1], REPEATED)
    (lower, _), inside = stack.blocks()[3](states[:, 0]), states[:, 1]
    close(lower, inside)


def test_torchaudio_weights_are_strict(torchaudio_encoder, tmp_path):
    state = TorchaudioModel().state_dict()
    torch.save({**state, "aux.weight": torch.zeros(1)}, tmp_path / "bundle.pth")
    encoder = torchaudio_encoder()
    encoder.load_pretrained(tmp_path / "bundle.pth")
    assert all(torch.equal(encoder.network.state_dict()[key], state[key]) for key in state)
    torch.save({"strange": torch.zeros(1)}, tmp_path / "bundle.pth")
    with pytest.raises(ValueError, match="missing: feature_extractor"):
        encoder.load_pretrained(tmp_path / "bundle.pth")
    torch.save([1], tmp_path / "bundle.pth")
    with pytest.raises(ValueError, match="holds a list that does not map names to tensors"):
        encoder.load_pretrained(tmp_path / "bundle.pth")
    with pytest.raises(ValueError, match="Did you mean 'wav2vec2_base'"):
        torchaudio_encoder(model="wav2vec_base")


def test_fairseq_reads_settings_and_weights(fairseq_encoder, tmp_path):
    state = FairseqModel(FairseqConfig()).state_dict()
    cfg = {"model": {"_name": "wav2vec2", "encoder_layers": 2}, "task": {"normalize": True}}
    torch.save({"cfg": cfg, "model": state}, tmp_path / "model.pt")
    arguments = fairseq_encoder.architecture_of(tmp_path / "model.pt")
    assert arguments == {"config": {"encoder_layers": 2}, "normalize": True}
    encoder = fairseq_encoder(**arguments)
    encoder.load_pretrained(tmp_path / "model.pt")
    assert torch.equal(encoder.network.post_extract_proj.weight, state["post_extract_proj.weight"])
    assert encoder.network.settings.conv_feature_layers.startswith("[(8, 10, 5), (8, 3, 2), ")
    with pytest.raises(ValueError, match="conv_feature_layers"):
        fairseq_encoder(config={"conv_feature_layers": "__import__('os').getcwd()"})


def test_torchaudio_itself_agrees(tmp_path):
    """Where torchaudio loads: its import of our wav2vec 2.0 gives the same states."""
    pytest.importorskip("torchaudio", exc_type=(ImportError, OSError))
    from torchaudio.models.wav2vec2.utils import import_huggingface_model

    path = golden_path("fairseq_xlsr_tiny.pt")
    ours = XLSREncoder(**{**XLSREncoder.architecture_of(path), "normalize": False}).eval()
    ours.load_pretrained(path)
    ours.model.config.architectures = ["Wav2Vec2Model"]
    theirs = import_huggingface_model(ours.model).eval()
    wave = waveforms(1, 8000)
    with torch.no_grad():
        close(theirs(wave)[0], ours(wave))


@pytest.mark.parametrize("layer", ["last", "all"])
@pytest.mark.parametrize("name", ["fairseq_xlsr_tiny.pt", "fairseq_w2v_base_tiny.pt"])
def test_fairseq_itself_agrees(name, layer):
    """Where fairseq is installed: its own model gives what `xlsr` reads from the same file."""
    pytest.importorskip("fairseq", reason="fairseq is not installed; its lines are in the message")
    path, wave = golden_path(name), waveforms(2, 8000)
    nodes = []
    for kind in (registry.load("encoders", "fairseq-model"), XLSREncoder):
        encoder = kind(**kind.architecture_of(path), layer=layer).eval()
        encoder.load_pretrained(path)
        with torch.no_grad():
            nodes.append(encoder(wave))
    close(nodes[0], nodes[1])
