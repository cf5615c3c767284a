"""Views of frozen encoders: what they give of a clip depends on that clip alone.

A clip that is encoded beside others gets other last bits. So frozen views are made one clip at a
time, which costs nothing on a CPU. What is made once, in memory or on a disk, is then the same
bits as what is made each time.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from amsdf.audio.signal.conditioning import condition
from amsdf.detector.detector import Detector
from amsdf.detector.inference.precision import encode

#: Named views of one clip: (N, D) or (L, N, D) each.
ClipViews = Mapping[str, Tensor]


@torch.no_grad()
def encode_alone(detector: Detector, names: Sequence[str], clip: Tensor) -> dict[str, Tensor]:
    """What the encoders of these views give of one clip (S,): (N, D) or (L, N, D) each."""
    waveform = condition(clip[None], None, detector.experiment.clip)
    return {name: encode(name, detector.encoder(name), waveform, None)[0] for name in names}


def frozen_views(detector: Detector, waveform: Tensor, lengths: Tensor | None) -> dict[str, Tensor]:
    """The frozen views (B, N, D) or (B, L, N, D) of clips (B, S), of true lengths (B,) if padded.

    None where an accelerator is quicker with a whole batch, or where processes share the weights
    and must make the same calls.
    """
    names = detector.frozen_views
    if not names or waveform.device.type != "cpu" or _is_sharded(detector):
        return {}
    return stack_views(
        [encode_alone(detector, names, clip) for clip in clips_of(waveform, lengths)]
    )


def _is_sharded(detector: Detector) -> bool:
    """Only a `DTensor` has that method; to import its class takes a second."""
    return any(hasattr(parameter, "full_tensor") for parameter in detector.parameters())


def clips_of(waveform: Tensor, lengths: Tensor | None) -> Iterator[Tensor]:
    """Clips (B, S) one by one, each (S',) without its padding."""
    sizes = [waveform.shape[1]] * len(waveform) if lengths is None else lengths.tolist()
    return (clip[:size] for clip, size in zip(waveform, sizes, strict=True))


def stack_views(clips: Sequence[ClipViews]) -> dict[str, Tensor]:
    """Views of some clips -> (B, N, D) or (B, L, N, D), zeros behind the nodes of shorter ones."""
    return {name: _stack([views[name] for views in clips]) for name in clips[0]}


def _stack(views: Sequence[Tensor]) -> Tensor:
    most = max(view.shape[-2] for view in views)
    if any(view.shape[-2] < most for view in views):
        views = [F.pad(view, (0, 0, 0, most - view.shape[-2])) for view in views]
    return torch.stack(list(views))
