"""Speech models of torchaudio, for those who have it and its `.pth` files.

torchaudio is in maintenance; `xlsr` and `speech-model` read the same models from other files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torchaudio.models
from torch import Tensor, nn

from amsdf.contracts import Encoder
from amsdf.registry import nearest
from amsdf.weights import load_strictly, read_state_dict
from encoders._layers import LayerChoice, LayerName, recorded
from encoders._padding import by_length, convolved, lengthen, receptive_field, standardise

MODELS = (
    *("wav2vec2_base", "wav2vec2_large", "wav2vec2_large_lv60k"),
    *("wav2vec2_xlsr_300m", "wav2vec2_xlsr_1b", "wav2vec2_xlsr_2b"),
    *("hubert_base", "hubert_large", "hubert_xlarge", "wavlm_base", "wavlm_large"),
)


class TorchaudioBundleEncoder(Encoder):
    """Hidden states of a torchaudio model.

    Args:
        model: A factory of `torchaudio.models`.
        layer: `last`, a number, `all` or `weighted`, see `encoders._layers`.
        normalize: Zero mean and unit variance for each clip: what the bundles of the large models
            and of XLS-R do.
    """

    network: Any

    def __init__(
        self,
        *,
        model: str = "wav2vec2_base",
        layer: LayerName = "last",
        normalize: bool = False,
    ):
        super().__init__()
        if model not in MODELS:
            raise ValueError(
                f"no torchaudio model {model!r}.{nearest(model, MODELS)} "
                f"Available: {', '.join(MODELS)}"
            )
        self.network = getattr(torchaudio.models, model)()
        self.choice = LayerChoice(layer, len(self._layers()))
        self.normalize = normalize
        self.dim = self.network.encoder.feature_projection.projection.out_features
        self.layers = self.choice.stack
        front = self.network.feature_extractor.conv_layers
        self._convolutions = [(block.kernel_size, block.stride) for block in front]

    def _layers(self) -> nn.ModuleList:
        return self.network.encoder.transformer.layers

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, N, D), or (B, L + 1, N, D) for `layer="all"`."""
        if lengths is not None:
            nodes = int(self.node_counts(lengths.new_tensor(waveform.shape[1])))
            return by_length(self.forward, waveform, lengths, nodes)
        if self.normalize:
            waveform = standardise(waveform, None, eps=1e-5)
        waveform = lengthen(waveform, receptive_field(self._convolutions))
        with recorded(self._layers()) as states:
            final, _ = self.network(waveform)
        return self.choice(states, final)

    def node_counts(self, lengths: Tensor) -> Tensor:
        """Nodes (B,) of clips of `lengths` (B,) samples; at least one."""
        return convolved(lengths, self._convolutions)

    def blocks(self) -> Sequence[nn.Module]:
        """Convolutional front, projection, positions, then each transformer layer."""
        encoder = self.network.encoder
        positions = encoder.transformer.pos_conv_embed
        front = [self.network.feature_extractor, encoder.feature_projection, positions]
        return [*front, *self._layers()]

    def load_pretrained(self, path: Path) -> None:
        """Read the state dict that a bundle of torchaudio downloads, strictly, without its head."""
        state = read_state_dict(path)
        load_strictly(
            self.network, {k: v for k, v in state.items() if not k.startswith("aux.")}, path
        )
