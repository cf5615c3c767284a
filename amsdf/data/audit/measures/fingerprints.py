"""Clips that are nearly the same sound: quieter, cut, or through another codec.

Every 16 ms of a clip get a hash of 32 bits that says in which of 32 neighbouring bands the balance
of energy rises (Haitsma and Kalker, ISMIR 2002). Level, cuts and codecs change few bits. Clips with
equal hashes at one distance in time are candidates; their samples decide.
"""

import math
from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

_RATE = 4_000
#: Seconds.
_HOP, _WINDOW, _LISTENED = 0.016, 0.256, 5.0
_BANDS = np.geomspace(200, 1_900, 34)
#: Where it is this much quieter than at its loudest, a clip has no hash.
_QUIET_DB = 35.0
#: Equal hashes that two clips need at one distance in time.
_MATCHES = 3
#: A hash tells little that more places have.
_COMMON = 50

_TYPE = np.dtype("<u4")


def fingerprint(wave: np.ndarray, rate: int) -> bytes:
    """Places and hashes (N, 2) of the first seconds of a clip (S,), where it is not quiet."""
    heard = soxr.resample(wave[: round(_LISTENED * rate)].astype(np.float32), rate, _RATE)
    window, hop = round(_WINDOW * _RATE), round(_HOP * _RATE)
    padded = np.pad(heard, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window))) ** 2

    edges = np.round(_BANDS * window / _RATE).astype(int)
    energy = np.add.reduceat(power, edges, axis=1)[:, :-1]
    rises = np.diff(np.diff(energy, axis=1), axis=0) > 0
    hashes = rises @ (1 << np.arange(rises.shape[1], dtype=np.uint64))

    total = energy.sum(axis=1)[1:]
    loud = np.flatnonzero(total > total.max(initial=0.0) * 10 ** (-_QUIET_DB / 10))
    return np.stack([loud, hashes[loud]], axis=1).astype(_TYPE).tobytes()


def thinned(given: bytes, share: int) -> bytes:
    """One in `share` of the hashes: the same ones of every clip."""
    rows = _rows(given)
    mixed = rows[:, 1] * np.uint32(2_654_435_761)  # Knuth's: neighbours fall apart
    return rows[mixed % np.uint32(share) == 0].tobytes()


def _rows(given: bytes | None) -> NDArray[np.uint32]:
    return np.frombuffer(given or b"", _TYPE).reshape(-1, 2)


def alike(fingerprints: Sequence[bytes | None]) -> list[tuple[int, int]]:
    """Pairs of places in the list whose clips may be the same sound, the first one first."""
    if not fingerprints:
        return []
    rows = [_rows(given) for given in fingerprints]
    times, hashes = np.concatenate(rows).T
    clips = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    order = np.lexsort((clips, hashes))
    hashes, clips, times = hashes[order], clips[order], times[order].astype(np.int64)

    num_clips, span = len(fingerprints), 2 * math.ceil(_LISTENED / _HOP) + 8
    found: list[NDArray[np.int64]] = []
    for apart in range(1, _COMMON):
        same = np.flatnonzero(hashes[apart:] == hashes[:-apart])
        if not len(same):
            break
        first, second = clips[same], clips[same + apart]
        shift = times[same + apart] - times[same] + span // 2
        pair = (first * num_clips + second) * span + shift
        found.append(pair[first != second])
    if not found:
        return []
    pairs, matches = np.unique(np.concatenate(found), return_counts=True)
    both = np.unique(pairs[matches >= _MATCHES] // span)
    return [divmod(int(pair), num_clips) for pair in both]


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """How alike two waveforms of one rate are where they fit best: 0 to 1, whatever their level.

    Every shift is tried at which they have half of the shorter one in common.
    """
    size = 1 << (len(first) + len(second)).bit_length()
    spectrum = np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size))
    product = np.abs(np.fft.irfft(spectrum, size))
    least = max(1, min(len(first), len(second)) // 2)
    shifts = np.arange(least - len(second), len(first) - least + 1)
    begin, end = np.maximum(shifts, 0), np.minimum(len(first), len(second) + shifts)
    energy = [np.append(0.0, np.cumsum(wave**2)) for wave in (first, second)]
    one = energy[0][end] - energy[0][begin]
    other = energy[1][end - shifts] - energy[1][begin - shifts]
    scale = np.sqrt(np.maximum(one * other, 0.0))
    heard = scale > 1e-6 * math.sqrt(energy[0][-1] * energy[1][-1])
    return float(np.max(product[shifts[heard]] / scale[heard], initial=0.0))
