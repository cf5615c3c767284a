"""Speech models of torchaudio, for those who have it and its `.pth` files.

torchaudio is in maintenance; `xlsr` and `speech-model` read the same models from other files.
"""

from collections.abc import Sequence
from pathlib import Path

import torchaudio.models
from torch import Tensor, nn

from amsdf.registry import nearest
from amsdf.weights import load_strictly, read_state_dict
from encoders._foreign_model import ForeignSpeechModel, States
from encoders._layers import LayerName, recorded

MODELS = (
    *("wav2vec2_base", "wav2vec2_large", "wav2vec2_large_lv60k"),
    *("wav2vec2_xlsr_300m", "wav2vec2_xlsr_1b", "wav2vec2_xlsr_2b"),
    *("hubert_base", "hubert_large", "hubert_xlarge", "wavlm_base", "wavlm_large"),
)


class TorchaudioBundleEncoder(ForeignSpeechModel):
    """Hidden states of a torchaudio model.

    Args:
        model: A factory of `torchaudio.models`.
        layer: `last`, a number, `all` or `weighted`, see `encoders._layers`.
        normalize: Zero mean and unit variance for each clip: what the bundles of the large models
            and of XLS-R do.
    """

    def __init__(
        self,
        *,
        model: str = "wav2vec2_base",
        layer: LayerName = "last",
        normalize: bool = False,
    ):
        if model not in MODELS:
            raise ValueError(
                f"no torchaudio model {model!r}.{nearest(model, MODELS)} "
                f"Available: {', '.join(MODELS)}"
            )
        network = getattr(torchaudio.models, model)()
        front = network.feature_extractor.conv_layers
        shapes = [(block.kernel_size, block.stride) for block in front]
        super().__init__(network, shapes, layer, normalize)
        self.dim = network.encoder.feature_projection.projection.out_features

    def _layers(self) -> nn.ModuleList:
        return self.network.encoder.transformer.layers

    def _states(self, waveform: Tensor) -> States:
        with recorded(self._layers()) as states:
            final, _ = self.network(waveform)
        return states, final

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
