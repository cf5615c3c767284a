"""wav2vec 2.0 inside fairseq itself, for those who have it.

fairseq itself stops at Python 3.10; its rebuild `fairseq-fixed` runs on 3.11 and is found under the
same name. `xlsr` reads the same files without it and gives the same numbers.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from fairseq.models.wav2vec import Wav2Vec2Config, Wav2Vec2Model
from torch import Tensor, nn

from amsdf.weights import load_strictly
from encoders._fairseq_file import configuration, conv_layers, read_fairseq
from encoders._foreign_model import ForeignSpeechModel, States
from encoders._layers import LayerName, recorded

#: Parts that fairseq itself takes away when only features are wanted.
_REMOVED = ("quantizer", "project_q", "final_proj")


class FairseqModelEncoder(ForeignSpeechModel):
    """Hidden states of fairseq's `Wav2Vec2Model`.

    Args:
        config: The model's settings as plain values, from `architecture_of`; else fairseq's own
            defaults.
        layer: `last`, a number, `all` or `weighted`, see `encoders._layers`.
        normalize: Zero mean and unit variance for each clip, as `task.normalize` says.
    """

    def __init__(
        self,
        *,
        config: dict[str, Any] | None = None,
        layer: LayerName = "last",
        normalize: bool = False,
    ):
        known = {field.name for field in fields(Wav2Vec2Config)}
        settings = Wav2Vec2Config(**{k: v for k, v in (config or {}).items() if k in known})
        convolutions = conv_layers(settings.conv_feature_layers)
        settings.conv_feature_layers = repr(convolutions)  # fairseq runs this text as Python
        network = Wav2Vec2Model(settings)
        network.remove_pretraining_modules()
        shapes = [(kernel, stride) for _, kernel, stride in convolutions]
        super().__init__(network, shapes, layer, normalize)
        self.dim = settings.encoder_embed_dim

    @classmethod
    def architecture_of(cls, path: Path) -> dict[str, Any]:
        """The settings in a fairseq `.pt` file, read without running what it pickles."""
        settings, normalize = configuration(read_fairseq(path), path)
        known = {field.name for field in fields(Wav2Vec2Config)}
        kept = {key: value for key, value in settings.items() if key in known}
        return {"config": kept, "normalize": normalize}

    def _layers(self) -> nn.ModuleList:
        return self.network.encoder.layers

    def _states(self, waveform: Tensor) -> States:
        with recorded(self._layers()) as states:
            final = self.network(waveform, mask=False, features_only=True)["x"]
        # Inside its transformer fairseq keeps (N, B, D).
        return [None if state is None else state.transpose(0, 1) for state in states], final

    def blocks(self) -> Sequence[nn.Module]:
        """Convolutional front, projection, positions, then each transformer layer."""
        network = self.network
        parts = [network.feature_extractor, network.post_extract_proj, network.encoder.pos_conv]
        return [*(part for part in parts if part is not None), *network.encoder.layers]

    def load_pretrained(self, path: Path) -> None:
        """Read a fairseq `.pt` file, strictly; the pre-training parts are left out."""
        state = read_fairseq(path)["model"]
        kept = {k: v for k, v in state.items() if k.split(".")[0] not in _REMOVED}
        load_strictly(self.network, kept, path)
