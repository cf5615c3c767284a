"""What speech models inside other packages have in common: padding, normalisation, node counts."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from amsdf.contracts import Encoder
from encoders._layers import LayerChoice, LayerName
from encoders._padding import by_length, convolved, lengthen, receptive_field, standardise

States = tuple[Sequence[Tensor | None], Tensor]


class ForeignSpeechModel(Encoder):
    """wav2vec 2.0 or a relative, as another package computes it.

    In whole-utterance mode only clips of equal length are encoded together: its masks may not be
    exact.

    Args:
        network: The model.
        convolutions: (kernel, stride) of each convolution of its front.
        layer: Which hidden states become nodes, see `encoders._layers`.
        normalize: Bring every clip to zero mean and unit variance.
    """

    network: Any

    def __init__(
        self,
        network: nn.Module,
        convolutions: Sequence[tuple[int, int]],
        layer: LayerName,
        normalize: bool,
    ):
        super().__init__()
        self.network = network
        self.choice = LayerChoice(layer, len(self._layers()))
        self.layers = self.choice.stack
        self.normalize = normalize
        self._convolutions = convolutions

    def _layers(self) -> nn.ModuleList:
        """The transformer layers of the network."""
        raise NotImplementedError

    def _states(self, waveform: Tensor) -> States:
        """(B, S) -> states 0 to L and the final output, all (B, N, D)."""
        raise NotImplementedError

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, N, D), or (B, L + 1, N, D) for `layer="all"`."""
        if lengths is not None:
            nodes = int(self.node_counts(lengths.new_tensor(waveform.shape[1])))
            return by_length(self.forward, waveform, lengths, nodes)
        if self.normalize:
            waveform = standardise(waveform, None, eps=1e-5)
        return self.choice(*self._states(lengthen(waveform, receptive_field(self._convolutions))))

    def node_counts(self, lengths: Tensor) -> Tensor:
        """Nodes (B,) of clips of `lengths` (B,) samples; at least one."""
        return convolved(lengths, self._convolutions)
