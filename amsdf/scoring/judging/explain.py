"""Why a part of a recording has its score: how the score moves without one piece of it.

The piece is a stretch of time, a band of frequencies, or what one view hears. It is replaced by
faint noise with the spectrum of the recording: the detector hears nearly nothing there, and no
edge. This is occlusion (Zeiler and Fergus, 2014). It needs no help of any detector.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

import numpy as np
import torch
from scipy.fft import irfft, rfft, rfftfreq

from amsdf.audio import fit
from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.detector import Detector
from amsdf.detector.inference.cutting import RecordingPart, cut
from amsdf.detector.inference.scores import ScoreSettings, score_batch

#: Stretches of time, and the shortest one in seconds.
_STRETCHES, _SHORTEST = 10, 0.05
#: Edges of the bands in hertz.
_BANDS = (0, 300, 1000, 2000, 4000, 6000, 8000)
#: The noise is 40 dB below the recording; it is faded in and out within 5 ms.
_FAINT, _FADE = 0.01, SAMPLE_RATE // 200
#: Samples that are scored at once: eight clips of four seconds.
_AT_ONCE = 32 * SAMPLE_RATE


@dataclass(frozen=True)
class Evidence:
    """A piece of a recording, and by how much it moves the score towards fake.

    Below 0, it speaks for real.
    """

    kind: Literal["time", "band", "view"]
    #: Such as "0.8-1.2 s", "1-2 kHz" or the name of the view.
    piece: str
    towards_fake: float

    def __str__(self) -> str:
        side = "fake" if self.towards_fake > 0 else "real"
        moved = abs(self.towards_fake)
        if not moved:
            return f"{self.piece}: makes no difference"
        return f"{self.piece}: speaks for {side} (+{moved:.2g} towards {side})"


def explain_recording(
    detector: Detector, blocks: Iterable[np.ndarray], index: int, settings: ScoreSettings
) -> list[Evidence]:
    """The evidence in one part of a recording that comes in blocks (S,), counted from 0."""
    return explain(detector, next(islice(cut(blocks, detector.experiment), index, None)), settings)


def explain(detector: Detector, part: RecordingPart, settings: ScoreSettings) -> list[Evidence]:
    """The evidence in a part of a recording: in time, in frequency, in the views."""
    sound = part.waveform[: part.end - part.start]
    noise = faint_noise(sound)
    begin = part.start / SAMPLE_RATE
    pieces = {
        **{("time", name): clip for name, clip in _without_stretches(sound, noise, begin).items()},
        **{("band", name): clip for name, clip in _without_bands(sound, noise).items()},
    }
    clip = detector.experiment.clip
    fitted = [fit(each, clip, clip.samples) for each in (sound, noise, *pieces.values())]
    score, _, *scores = _scores(detector, fitted, settings)

    without = dict(zip(pieces, scores, strict=True))
    without |= {
        ("view", name): found
        for name, found in _without_views(detector, fitted[0], fitted[1], settings).items()
    }
    return [Evidence(kind, name, found - score) for (kind, name), found in without.items()]  # type: ignore[arg-type]


def faint_noise(sound: np.ndarray) -> np.ndarray:
    """Noise (S,) with the spectrum of a sound (S,), 40 dB below it."""
    spectrum = rfft(sound)
    turns = np.random.default_rng(0).random(len(spectrum))
    return np.asarray(
        _FAINT * irfft(np.abs(spectrum) * np.exp(2j * np.pi * turns), len(sound)), np.float32
    )


def _without_stretches(sound: np.ndarray, noise: np.ndarray, begin: float) -> dict[str, np.ndarray]:
    """The sound (S,), one stretch of time after the other replaced."""
    num = int(np.clip(len(sound) / SAMPLE_RATE / _SHORTEST, 1, _STRETCHES))
    edges = np.linspace(0, len(sound), num + 1).round().astype(int)
    digits = 1 if len(sound) >= SAMPLE_RATE else 2
    found = {}
    for start, end in pairwise(edges):
        hidden = np.zeros(len(sound))
        hidden[start:end] = 1
        hidden = np.convolve(hidden, np.ones(_FADE) / _FADE, mode="same")[: len(sound)]
        name = f"{begin + start / SAMPLE_RATE:.{digits}f}-{begin + end / SAMPLE_RATE:.{digits}f} s"
        found[name] = (sound + hidden * (noise - sound)).astype(np.float32)
    return found


def _without_bands(sound: np.ndarray, noise: np.ndarray) -> dict[str, np.ndarray]:
    """The sound (S,), one band of frequencies after the other replaced."""
    hertz = rfftfreq(len(sound), 1 / SAMPLE_RATE)
    loud, faint = rfft(sound), rfft(noise)
    found = {}
    for low, high in pairwise(_BANDS):
        inside = (hertz >= low) & (hertz < high)
        name = f"{low / 1000:g}-{high / 1000:g} kHz"
        found[name] = irfft(np.where(inside, faint, loud), len(sound)).astype(np.float32)
    return found


@torch.inference_mode()
def _without_views(
    detector: Detector, clip: np.ndarray, noise: np.ndarray, settings: ScoreSettings
) -> dict[str, float]:
    """Scores of a clip (S,), one view after the other hearing the noise (S,); none for one view."""
    names = list(detector.experiment.views)
    if len(names) < 2:
        return {}
    detector.eval()
    heard, faint = (
        detector.views(torch.from_numpy(each)[None].to(detector.device))[0]
        for each in (clip, noise)
    )
    loss = detector.loss
    rule = loss.published_score if settings.score_rule == "published" else loss.score
    mixed: Mapping[str, dict[str, torch.Tensor]] = {
        name: {**heard, name: faint[name]} for name in names
    }
    return {name: float(rule(detector.fuse(views, None).float())) for name, views in mixed.items()}


def _scores(detector: Detector, clips: list[np.ndarray], settings: ScoreSettings) -> list[float]:
    size = max(1, _AT_ONCE // len(clips[0]))
    scores: list[float] = []
    for first in range(0, len(clips), size):
        batch = torch.from_numpy(np.stack(clips[first : first + size]))
        scores += score_batch(detector, batch, None, settings)[0]
    return scores
