"""What is heard in a recording: seconds of speech, clipping, bandwidth, level.

Speech differs from tones, noise and most music in how it moves: within 50 ms the pitch glides a
little and the envelope of the spectrum changes with it, and few partials stand still. A rule of
six thresholds on these measures is enough to refuse a recording without speech. It needs numpy
only and 10 ms for 4 s of sound; `silero-vad`, which asks for torchaudio, would hear whispering too.

It does not hear whispering and what a vocoder makes of noise alone, which have no pitch. It may
take singing and gliding music for speech. It misses 0.6 % of 2106 clips that are not whispered.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.fft import irfft, rfft, rfftfreq
from numpy.lib.stride_tricks import sliding_window_view

from amsdf.conventions import SAMPLE_RATE

#: Samples of a frame and from frame to frame: 40 ms and 10 ms.
_FRAME, _HOP, _FFT = 640, 160, 1024
#: Frames a second.
_RATE = SAMPLE_RATE // _HOP
#: The rule is applied to parts of this many samples: 4 s; the last part may be twice as long.
_PART = 4 * SAMPLE_RATE
_WINDOW = np.hanning(_FRAME).astype(np.float32)
_HERTZ = rfftfreq(_FFT, 1 / SAMPLE_RATE)
#: Shortest and longest period of a voice in samples: 500 and 60 Hz.
_PERIODS = (32, 266)
#: Edges of the bands that describe the envelope of a spectrum.
_EDGES = np.searchsorted(_HERTZ, [100, 250, 450, 700, 1000, 1400, 1900, 2500, 3200, 4000])
#: Sound that counts is at most this far below the loudest frames, and above the floor (dB).
_RANGE, _FLOOR = 30.0, -75.0
#: Histogram of sample levels, in steps of a quarter of a decibel from -110 dB.
_LEVELS = np.arange(-110, 20.25, 0.25)

#: Least speech, in seconds, for an answer.
LEAST_SPEECH = 1.0
#: Least share of the sound that is speech.
_LEAST_SHARE = 0.1
#: Clipped samples of which a recording is full, and of which a warning is due.
_MUCH_CLIPPED, _CLIPPED = 0.1, 0.015
#: Below these, in hertz, nothing can be told; below the second a warning is due.
_LEAST_BAND, _NARROW_BAND = 1500, 4400


@dataclass(frozen=True)
class Hearing:
    """What is heard in a recording.

    Example:
        >>> import numpy as np
        >>> from amsdf.audio.speech import hear, reasons_not_to_judge
        >>> heard = hear([np.zeros(800, np.float32)])
        >>> heard.seconds, heard.speech_seconds
        (0.05, 0.0)
    """

    #: How long the recording is, how much of it is sound, and how much of the sound is speech.
    seconds: float
    sound_seconds: float
    speech_seconds: float
    #: Share of the samples that are cut off at one level.
    clipped_share: float
    #: Below this frequency lies what is heard; at most 8000.
    bandwidth_hz: float
    #: Of the loud frames, in dB of full scale.
    level: float


def reasons_not_to_judge(hearing: Hearing) -> list[str]:
    """Why no detector should answer for a recording, a sentence each; none for most recordings."""
    least = f"{LEAST_SPEECH:g} s"
    if hearing.seconds < LEAST_SPEECH:
        return [f"the recording lasts {hearing.seconds:.2f} s; {least} of speech is needed"]
    if not _has_speech(hearing):
        return ["no speech is found in the recording"]
    found = []
    if hearing.speech_seconds < LEAST_SPEECH:
        found.append(f"{hearing.speech_seconds:.1f} s of speech is found; {least} is needed")
    if hearing.clipped_share > _MUCH_CLIPPED:
        clipped = f"{100 * hearing.clipped_share:.0f} % of its samples"
        found.append(f"the recording is heavily clipped ({clipped})")
    if hearing.bandwidth_hz < _LEAST_BAND:
        found.append(f"nothing is heard above {hearing.bandwidth_hz / 1000:.1f} kHz")
    return found


def warnings_of(hearing: Hearing) -> list[str]:
    """What makes an answer less sure, a sentence each."""
    found = []
    if _CLIPPED < hearing.clipped_share <= _MUCH_CLIPPED:
        found.append(f"{100 * hearing.clipped_share:.0f} % of the samples are clipped")
    if _LEAST_BAND <= hearing.bandwidth_hz < _NARROW_BAND:
        found.append(
            f"nothing is heard above {hearing.bandwidth_hz / 1000:.1f} kHz, as on a telephone"
        )
    if _has_speech(hearing) and hearing.speech_seconds < hearing.sound_seconds / 2:
        found.append(
            f"{hearing.speech_seconds:.0f} of {hearing.seconds:.0f} s are speech; "
            "the rest may mislead the detector"
        )
    return found


def _has_speech(hearing: Hearing) -> bool:
    return hearing.speech_seconds > _LEAST_SHARE * hearing.sound_seconds


def hear(blocks: Iterable[np.ndarray]) -> Hearing:
    """What is heard in a recording that comes in blocks (S,) at 16 kHz."""
    listener = Listener()
    for block in blocks:
        listener.add(block)
    return listener.hearing()


class Listener:
    """Hears a recording block by block, in the memory of a few seconds of sound."""

    def __init__(self) -> None:
        self._kept = np.zeros(0, np.float32)
        self._samples = 0
        self._sound = self._speech = 0
        self._levels = np.zeros(len(_LEVELS) + 1)
        self._power = np.zeros(len(_HERTZ))
        self._level = -np.inf

    def add(self, block: np.ndarray) -> None:
        """Hear the next samples (S,) at 16 kHz."""
        self._samples += len(block)
        self._kept = np.concatenate([self._kept, block.astype(np.float32, copy=False)])
        # The last part is never shorter than the others: the rule needs seconds.
        while len(self._kept) >= 2 * _PART:
            self._hear(self._kept[:_PART])
            self._kept = self._kept[_PART:]

    def hearing(self) -> Hearing:
        """What is heard so far."""
        if len(self._kept):
            self._hear(self._kept)
            self._kept = self._kept[:0]
        return Hearing(
            seconds=self._samples / SAMPLE_RATE,
            sound_seconds=self._sound / _RATE,
            speech_seconds=self._speech / _RATE,
            clipped_share=_clipped_share(self._levels),
            bandwidth_hz=_bandwidth(self._power),
            level=self._level,
        )

    def _hear(self, part: np.ndarray) -> None:
        with np.errstate(divide="ignore"):
            levels = 20 * np.log10(np.abs(part))
        self._levels += np.bincount(np.searchsorted(_LEVELS, levels), minlength=len(self._levels))

        power, level = _spectra(part)
        loud = level > max(np.percentile(level, 95) - _RANGE, _FLOOR)
        if loud.any():
            self._level = max(self._level, float(np.percentile(level[loud], 95)))
            self._power += power[loud].sum(axis=0)
            self._sound += int(loud.sum())
            if _is_speech(power, loud):
                self._speech += min(len(part) // _HOP, int(_without_gaps(loud).sum()))


def _spectra(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples (S,) -> power spectra (N, F) and levels in dB of full scale (N,) of the frames."""
    samples = np.pad(part, (0, max(0, _FRAME - len(part))))
    frames = sliding_window_view(samples, _FRAME)[::_HOP] * _WINDOW
    power = np.abs(rfft(frames, _FFT)) ** 2
    level = 10 * np.log10(np.square(frames).mean(axis=1) / np.square(_WINDOW).mean() + 1e-12)
    return power, level


def _without_gaps(loud: np.ndarray) -> np.ndarray:
    """(N,) with the pauses below 0.3 s, which are within and between words."""
    places = np.flatnonzero(loud)
    filled = loud.copy()
    for before, after in pairwise(places):
        if after - before <= _RATE * 3 // 10:
            filled[before:after] = True
    return filled


def _is_speech(power: np.ndarray, loud: np.ndarray) -> bool:
    """The rule, on spectra (N, F) and which frames are loud (N,).

    The thresholds are set so that about 1 in 100 clips of real and fake speech is refused, also
    with noise at 10 dB, in the band of a telephone, and in a room.
    """
    pitch, same = _pitch_tracks(power, loud)
    moved = np.abs(pitch[5:] - pitch[:-5])
    envelope = _envelopes(power)
    change = np.sqrt(np.square(envelope[5:] - envelope[:-5]).mean(axis=1))
    glides = same & (moved > 0.15) & (moved < 4) & (change > 2)

    peaks = _peaks(power) & loud[:, None]
    high, low = power[:, 160:].sum(axis=1), power[:, 6:96].sum(axis=1)
    balance = 10 * np.log10((high[loud] + 1e-9) / (low[loud] + 1e-9))
    glide_share = glides.sum() / loud.sum()
    return bool(
        glide_share > 0.01  # of the sound has a pitch that glides …
        and glides.sum() > 0.35 * same.sum()  # … and is not that of an instrument;
        and glide_share > 0.25 * _steady_share(peaks, loud)  # partials that stand still are music;
        and _is_voice(power[:-5][glides])
        and balance.std() > 4  # vowels and fricatives change places
    )


def _pitch_tracks(power: np.ndarray, loud: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectra (N, F) -> pitch in semitones (N,), and whether it goes on 50 ms later (N - 5,)."""
    strength, pitch = _pitches(power)
    pitch = np.where(loud & (strength > 0.5), pitch, np.nan)
    breaks = ~(np.abs(np.diff(pitch)) < 0.8)
    track = np.concatenate([[0], np.cumsum(breaks)])
    return pitch, track[5:] == track[:-5]


def _autocorrelation_of_window() -> np.ndarray:
    found = irfft(np.abs(rfft(_WINDOW, _FFT)) ** 2)[: _PERIODS[1] + 2]
    return found / found[0]


_WINDOW_SHAPE = _autocorrelation_of_window()
_PITCH_BAND = ((_HERTZ >= 90) & (_HERTZ <= 4000)).astype(np.float32)


def _pitches(power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectra (N, F) -> strength (N,) and pitch in semitones (N,): the first high peak of the
    autocorrelation, as Boersma, 1993, corrected for the shape of the window.
    """
    first, last = _PERIODS
    shape = irfft(power * _PITCH_BAND)[:, : last + 2]
    shape = shape / (shape[:, :1] + 1e-9) / _WINDOW_SHAPE
    before, here, after = (
        shape[:, first - 1 : last],
        shape[:, first : last + 1],
        shape[:, first + 1 :],
    )
    values = np.where((here >= before) & (here >= after), here, -1)
    # The first of nearly equal peaks: the later ones are its multiples.
    place = (values >= 0.88 * values.max(axis=1, keepdims=True)).argmax(axis=1)
    rows = np.arange(len(power))
    left, top, right = before[rows, place], here[rows, place], after[rows, place]
    bend = left - 2 * top + right
    shift = 0.5 * (left - right) / np.where(np.abs(bend) < 1e-9, 1, bend)
    period = first + place + shift.clip(-0.5, 0.5)
    return values.max(axis=1), 12 * np.log2(SAMPLE_RATE / period)


def _envelopes(power: np.ndarray) -> np.ndarray:
    """Spectra (N, F) -> levels in dB of nine bands, their mean taken away (N, 9)."""
    bands = np.add.reduceat(power, _EDGES, axis=1)[:, :-1]
    level = 10 * np.log10(bands + 1e-4 * bands.sum(axis=1, keepdims=True) + 1e-12)
    return level - level.mean(axis=1, keepdims=True)


def _peaks(power: np.ndarray) -> np.ndarray:
    """(N, F) -> (N, 246): partials from 150 Hz to 4 kHz, 4 dB above what is 60 Hz beside them."""
    level = 10 * np.log10(power[:, 6:260] + 1e-9)
    here = level[:, 4:-4]
    beside = np.maximum(level[:, :-8], level[:, 8:])
    top = (here > level[:, 3:-5]) & (here >= level[:, 5:-3])
    return top & (here > beside + 4) & (here > here.max(axis=1, keepdims=True) - 30)


def _is_voice(power: np.ndarray) -> bool:
    """Whether spectra (N, F) have several partials, low ones too: a siren and a drum have one, a
    bird has none below 1 kHz.
    """
    heard = power[:, 6:257]
    total = heard.sum(axis=1)
    low = heard[:, :58].sum(axis=1) / total
    near = sliding_window_view(np.pad(heard, ((0, 0), (3, 3))), 7, axis=1).sum(axis=2)
    return bool(np.median(low) > 0.2 and np.median(near.max(axis=1) / total) < 0.97)


def _steady_share(peaks: np.ndarray, loud: np.ndarray) -> float:
    """Share of the loud frames (N,) in which a partial of (N, F) stands still for 200 ms."""
    steady = peaks[20:] & peaks[10:-10] & peaks[:-20]
    return float(steady.any(axis=1).sum() / loud.sum())


def _clipped_share(levels: np.ndarray) -> float:
    """Share of samples within 1 dB of the highest level, of a histogram of levels.

    Unclipped sound has few: the loudest 1 in 2000 lie above.
    """
    above = levels[::-1].cumsum()[::-1] / max(levels.sum(), 1)
    top = int(np.searchsorted(-above, -1 / 2000))
    return float(above[top - 4]) if top > 4 else 0.0


def _bandwidth(power: np.ndarray) -> float:
    """The frequency above which the mean spectrum (F,) is 60 dB below its peak."""
    heard = np.flatnonzero(power > power.max() * 1e-6)
    return float(_HERTZ[heard[-1]]) if power.max() > 0 else 0.0
