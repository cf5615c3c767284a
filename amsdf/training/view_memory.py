"""What frozen encoders gave for a clip, kept in memory, so that later epochs do not ask again."""

import hashlib

import torch
from torch import Tensor

from amsdf.audio.conditioning import condition
from amsdf.detector.detector import Detector

#: Views beyond this many bytes are computed each time.
MOST_BYTES = 2 * 2**30


class ViewMemory:
    """Views of frozen encoders by the content of the clip: any change of a sample is another clip.

    It pays where clips come again as they were: cut at the start and not augmented.
    """

    def __init__(self, detector: Detector, most_bytes: int = MOST_BYTES):
        self.detector = detector
        self.most_bytes = most_bytes
        self.bytes_kept = 0
        self._kept: dict[str, dict[str, Tensor]] = {}

    @torch.no_grad()
    def known(self, waveform: Tensor) -> dict[str, Tensor]:
        """The frozen views (B, N, D) or (B, L, N, D) of clips (B, S)."""
        names = self.detector.frozen_views
        if not names:
            return {}
        keys = [hashlib.sha1(clip.cpu().numpy().tobytes()).hexdigest() for clip in waveform]
        found = [self._kept.get(key) for key in keys]
        new = [
            row for row, views in enumerate(found) if views is None or views.keys() != set(names)
        ]
        if new:
            clips = condition(waveform[new], None, self.detector.experiment.clip)
            fresh = {name: self.detector.encoder(name)(clips) for name in names}
            for place, row in enumerate(new):
                found[row] = {name: view[place] for name, view in fresh.items()}
                self._keep(keys[row], found[row] or {})
        return {name: torch.stack([(views or {})[name] for views in found]) for name in names}

    def _keep(self, key: str, views: dict[str, Tensor]) -> None:
        size = sum(view.numel() * view.element_size() for view in views.values())
        if self.bytes_kept + size <= self.most_bytes:
            self._kept[key] = {name: view.clone() for name, view in views.items()}
            self.bytes_kept += size
