"""Real codecs: each recording is encoded and decoded again, in memory, through FFmpeg (PyAV)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal, cast

import av
import numpy as np

from amsdf.audio.cropping import to_length
from amsdf.audio.files.reading import resample
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.augmentations.contract import Augmentation, check_range
from amsdf.data.augmentations.signals import draw
from amsdf.registry import nearest

#: FFmpeg's unit of `global_quality`.
QUALITY_UNIT = 118
#: Silence (seconds) behind the recording, so that no codec swallows its end.
TAIL = 0.2


@dataclass(frozen=True)
class Format:
    """What FFmpeg calls a codec, and the settings that it takes.

    `kbps` and `quality` are [lowest, highest]; a codec without either has one quality only.
    """

    encoder: str
    decoder: str
    rate: int = SAMPLE_RATE
    kbps: tuple[float, float] | None = None
    quality: tuple[float, float] | None = None
    layout: str = "mono"


FORMATS = {
    "mp3": Format("libmp3lame", "mp3float", kbps=(16, 128), quality=(0, 9)),
    # a frame of 16 kHz holds no more than 96 kbit/s: what is asked above that gives 96
    "aac": Format("aac", "aac", kbps=(16, 128)),
    "opus": Format("libopus", "libopus", kbps=(8, 64)),
    # below a quality of 0.5 this encoder gives silence
    "vorbis": Format("vorbis", "vorbis", quality=(0.5, 10), layout="stereo"),
    "alaw": Format("pcm_alaw", "pcm_alaw", rate=8000),
    "mulaw": Format("pcm_mulaw", "pcm_mulaw", rate=8000),
    "g722": Format("g722", "g722"),
    "gsm": Format("libgsm", "gsm", rate=8000),
    "amr": Format("libopencore_amrnb", "amrnb", rate=8000, kbps=(4.75, 12.2)),
}


def available() -> list[str]:
    """The codecs that this build of FFmpeg both encodes and decodes."""
    return [name for name in FORMATS if _in_build(name)]


@cache
def _in_build(name: str) -> bool:
    try:
        av.Codec(FORMATS[name].encoder, "w")
        av.Codec(FORMATS[name].decoder, "r")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def transcode(
    waveform: np.ndarray, name: str, kbps: float | None = None, quality: float | None = None
) -> np.ndarray:
    """Encode and decode with codec `name` -> (S,), in time with the input (S,)."""
    delay = _delay(name)
    decoded = _pass(waveform, name, kbps, quality)
    return to_length(decoded[delay:], len(waveform))


@cache
def _delay(name: str) -> int:
    """By how many samples at 16 kHz a codec is late, measured on a rising tone in noise."""
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    probe = 0.3 * np.sin(2 * np.pi * (400 * time + 1300 * time**2)) * np.sin(3 * np.pi * time) ** 2
    probe += 0.02 * np.random.default_rng(0).standard_normal(len(time))
    best = FORMATS[name].kbps
    late = _pass(probe.astype(np.float32), name, best[1] if best else None, None)
    size = len(probe) + len(late)
    likeness = np.fft.irfft(np.fft.rfft(late, size) * np.fft.rfft(probe, size).conj(), size)
    return int(np.argmax(likeness[: len(late)]))


def _pass(waveform: np.ndarray, name: str, kbps: float | None, quality: float | None) -> np.ndarray:
    """Through encoder and decoder, at 16 kHz on both sides: (S,) -> (at least S,)."""
    form = FORMATS[name]
    padded = np.pad(waveform, (0, int(TAIL * SAMPLE_RATE))).astype(np.float32)
    if form.rate != SAMPLE_RATE:
        padded = resample(padded, SAMPLE_RATE, form.rate)
    encoder = _open_encoder(form, kbps, quality)
    packets = [
        packet
        for frame in (*_frames_for(encoder, padded), None)
        for packet in encoder.encode(frame)
        if packet.size
    ]
    decoder = _context(form, form.decoder, "r")
    decoder.extradata = encoder.extradata
    frames = [frame for packet in (*packets, None) for frame in decoder.decode(packet)]
    decoded, rate = _samples(frames), frames[0].sample_rate
    return decoded if rate == SAMPLE_RATE else resample(decoded, rate)


def _context(form: Format, name: str, mode: Literal["r", "w"]) -> av.AudioCodecContext:
    context = cast(av.AudioCodecContext, av.CodecContext.create(name, mode))
    context.sample_rate, context.layout = form.rate, form.layout
    return context


def _open_encoder(form: Format, kbps: float | None, quality: float | None) -> av.AudioCodecContext:
    encoder = _context(form, form.encoder, "w")
    encoder.time_base = Fraction(1, form.rate)
    formats = [entry.name for entry in encoder.codec.audio_formats or ()] or ["s16"]
    encoder.format = "fltp" if "fltp" in formats else formats[0]
    options = {"strict": "experimental"}  # FFmpeg's own Vorbis encoder asks for it
    if kbps is not None:
        encoder.bit_rate = round(1000 * kbps)
    if quality is not None:
        options |= {"flags": "+qscale", "global_quality": str(round(QUALITY_UNIT * quality))}
    encoder.options = options
    encoder.open()
    return encoder


def _frames_for(encoder: av.AudioCodecContext, waveform: np.ndarray) -> Iterable[av.AudioFrame]:
    channels = len(encoder.layout.channels)
    whole = av.AudioFrame.from_ndarray(
        np.repeat(waveform[None], channels, axis=0), format="fltp", layout=encoder.layout.name
    )
    whole.sample_rate = encoder.sample_rate
    whole.pts, whole.time_base = 0, encoder.time_base
    resampler = av.AudioResampler(
        encoder.format, encoder.layout, encoder.sample_rate, encoder.frame_size or 1024
    )
    return [*resampler.resample(whole), *resampler.resample(None)]


def _samples(frames: Sequence[av.AudioFrame]) -> np.ndarray:
    resampler = av.AudioResampler("fltp", frames[0].layout, frames[0].sample_rate)
    planar = [part.to_ndarray() for frame in (*frames, None) for part in resampler.resample(frame)]
    return np.concatenate(planar, axis=1).mean(axis=0)


class Codec(Augmentation):
    """A lossy codec, encoded and decoded; length and timing stay.

    Args:
        codecs: One is drawn for each recording: mp3, aac, opus, vorbis, alaw, mulaw, g722, gsm,
            amr, as far as the installed FFmpeg has them; a missing one is an error at start.
        kbps: [from, to], bit rate, for mp3, aac, opus and amr. Without it, all that is usual.
        quality: [from, to], variable bit rate, for mp3 (0 best, 9 worst) and vorbis (10 best).
        p: Share of the recordings that are changed.
    """

    def __init__(
        self,
        codecs: Sequence[str] = ("mp3", "aac", "opus", "vorbis", "alaw", "mulaw"),
        kbps: tuple[float, float] | None = None,
        quality: tuple[float, float] | None = None,
        p: float = 1.0,
    ):
        super().__init__(p)
        self.codecs = (codecs,) if isinstance(codecs, str) else tuple(codecs)
        if not self.codecs:
            raise ValueError(f"codecs is empty; give some of {', '.join(FORMATS)}")
        if kbps is not None and quality is not None:
            raise ValueError(f"kbps = {kbps} and quality = {quality}; give one of them")
        self.settings = {name: _settings(name, kbps, quality) for name in self.codecs}

    def prepare(self, roots: Mapping[str, Path]) -> None:
        """See that this build of FFmpeg has the codecs, and measure their delays."""
        for name in self.codecs:
            if not _in_build(name):
                raise ValueError(
                    f"codec {name!r} is not in this build of FFmpeg (PyAV {av.__version__}); "
                    f"available: {', '.join(available())}"
                )
            try:
                _delay(name)
            except av.FFmpegError as error:
                raise ValueError(f"codec {name!r} does not work in this build: {error}") from error

    def apply(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S,) -> (S,)."""
        name = self.codecs[rng.integers(len(self.codecs))]
        return transcode(
            waveform,
            name,
            **{key: draw(bounds, rng) for key, bounds in self.settings[name].items()},
        )


def _settings(
    name: str, kbps: Sequence[float] | None, quality: Sequence[float] | None
) -> dict[str, tuple[float, float]]:
    """The ranges that are drawn from for codec `name`, those of its format by default."""
    if name not in FORMATS:
        raise ValueError(f"no codec {name!r}.{nearest(name, FORMATS)} Codecs: {', '.join(FORMATS)}")
    asked = {"kbps": kbps, "quality": quality}
    usual = {"kbps": FORMATS[name].kbps, "quality": FORMATS[name].quality}
    for key, bounds in asked.items():
        limits = usual[key]
        if bounds is not None and limits is None:
            raise ValueError(f"codec {name!r} takes no {key}; list it in a 'codec' of its own")
        if bounds is not None and limits is not None:
            return {key: check_range(f"{key} of {name}", bounds, *limits)}
    return next(({key: limits} for key, limits in usual.items() if limits is not None), {})
