"""A verdict as a picture: the waveform, what each window says, and where it sounds machine-made."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes

from amsdf.contracts import SAMPLE_RATE
from amsdf.report.pictures.plots import (
    BONAFIDE_COLOUR,
    GREY,
    SPOOF_COLOUR,
    new_figure,
    shortened,
    tidy,
    to_bytes,
)
from amsdf.scoring.judging.verdict import Verdict, headline

#: Points of the outline of a waveform: two for each dot of the picture.
_POINTS = 2000
#: Samples of the finest outline: 10 ms.
_FINE = SAMPLE_RATE // 100


def outline(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Blocks (S,) of a recording -> its lowest and highest samples over time (P, 2), P <= 2000."""
    found: list[np.ndarray] = []
    kept = np.zeros(0, np.float32)
    for block in blocks:
        kept = np.concatenate([kept, block])
        whole = len(kept) // _FINE * _FINE
        found.append(_extremes(kept[:whole].reshape(-1, _FINE)))
        kept = kept[whole:]
    if len(kept):
        found.append(_extremes(kept[None]))
    fine = np.concatenate([np.zeros((0, 2), np.float32), *found])
    parts = np.array_split(fine, min(_POINTS, len(fine))) if len(fine) else []
    return np.array([[part[:, 0].min(), part[:, 1].max()] for part in parts]).reshape(-1, 2)


def _extremes(frames: np.ndarray) -> np.ndarray:
    return np.stack([frames.min(axis=1), frames.max(axis=1)], axis=1)


def draw_verdict(verdict: Verdict, extremes: np.ndarray, name: str, kind: str = "png") -> bytes:
    """The picture of a verdict on a recording with the outline (P, 2), as a PNG or SVG file."""
    figure = new_figure(9.0, 4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.1))
    _draw_waveform(
        above, verdict, extremes, f"{shortened(name, 48)}: {headline(verdict).rstrip('.')}"
    )
    _draw_windows(below, verdict)
    for axes in (above, below):
        for span in verdict.flagged:
            axes.axvspan(
                *(span.start, span.end),
                color=SPOOF_COLOUR,
                alpha=0.12,
                linewidth=0,
                label="sounds machine-made" if span is verdict.flagged[0] else None,
            )
        axes.set_xlim(0, verdict.seconds or 1)
    if verdict.flagged:
        above.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)
    return to_bytes(figure, kind)


def _draw_waveform(axes: Axes, verdict: Verdict, extremes: np.ndarray, title: str) -> None:
    tidy(axes, title, "", "waveform")
    time = np.linspace(0, verdict.seconds, len(extremes))
    axes.fill_between(time, extremes[:, 0], extremes[:, 1], color=GREY, linewidth=0.3)
    highest = max(float(np.abs(extremes).max(initial=0)), 1e-6)
    axes.set_ylim(-1.05 * highest, 1.05 * highest)
    axes.set_yticks([])


def _draw_windows(axes: Axes, verdict: Verdict) -> None:
    """Each window as a bar over its time; the operating point as lines across."""
    point = verdict.operating_point
    calibrated = point is not None and all(w.probability is not None for w in verdict.windows)
    tidy(axes, "", "seconds", "chance that it is\nnot machine-made" if calibrated else "score")
    for window in verdict.windows:
        value = window.probability if window.probability is not None else window.score
        fake = point is not None and calibrated and value <= point.fake_below
        real = point is not None and calibrated and value >= point.real_above
        colour = SPOOF_COLOUR if fake else BONAFIDE_COLOUR if real else GREY
        alpha = 0.25 if window.quiet else 0.9
        times = [window.start, window.end]
        axes.plot(times, [value, value], color=colour, linewidth=2.2, alpha=alpha)
    if point is not None and calibrated:
        axes.set_ylim(-0.03, 1.03)
        cuts = {point.fake_below: ("fake up to", SPOOF_COLOUR, "top")}
        cuts[point.real_above] = ("real from", BONAFIDE_COLOUR, "bottom")
        for cut, (word, colour, side) in cuts.items():
            axes.axhline(cut, color=colour, linewidth=0.8, linestyle="--")
            axes.annotate(
                f"{word} {cut:.2f}",
                (1.005, cut),
                xycoords=("axes fraction", "data"),
                ha="left",
                va=side,
                fontsize=8,
                color=colour,
            )
