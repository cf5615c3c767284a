"""What frozen encoders gave for a clip, kept in memory, so that later epochs do not ask again."""

import hashlib

from torch import Tensor

from amsdf.detector.detector import Detector
from amsdf.detector.inference.frozen import clips_of, encode_alone, stack_views

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

    def known(self, waveform: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        """The frozen views (B, N, D) or (B, L, N, D) of clips (B, S), of lengths (B,) if padded."""
        if not self.detector.frozen_views:
            return {}
        return stack_views([self._views_of(clip) for clip in clips_of(waveform, lengths)])

    def _views_of(self, clip: Tensor) -> dict[str, Tensor]:
        names = self.detector.frozen_views
        key = hashlib.sha1(clip.cpu().numpy().tobytes()).hexdigest()
        views = self._kept.get(key)
        if views is None or views.keys() != set(names):
            views = encode_alone(self.detector, names, clip)
            self._keep(key, views)
        return views

    def _keep(self, key: str, views: dict[str, Tensor]) -> None:
        size = sum(view.numel() * view.element_size() for view in views.values())
        if self.bytes_kept + size <= self.most_bytes:
            self._kept[key] = views
            self.bytes_kept += size
