"""How scores are spread: both classes over one axis, or one row for each attack."""

from collections.abc import Mapping, Sequence

import numpy as np

from amsdf.report.pictures.plots import (
    BONAFIDE_COLOUR,
    SPOOF_COLOUR,
    new_figure,
    shortened,
    tidy,
    to_bytes,
)

#: Beyond, a drawing overflows; scores there count in the outermost bins.
DRAWABLE = (-1e100, 1e100)


def class_histogram(
    bonafide: np.ndarray,
    spoof: np.ndarray,
    title: str,
    threshold: float | None = None,
    kind: str = "png",
) -> bytes:
    """Both classes over one score axis, each with the same area; (Nb,) and (Ns,) may be empty."""
    figure = new_figure(6, 3.2)
    axes = figure.add_subplot()
    edges = _edges([bonafide, spoof])
    for values, name, colour in (
        (bonafide, "bona fide", BONAFIDE_COLOUR),
        (spoof, "spoof", SPOOF_COLOUR),
    ):
        if len(values):
            heights = _shares(values, edges)
            axes.stairs(heights, edges, fill=True, alpha=0.35, color=colour)
            label = f"{name} ({len(values):,})"
            axes.stairs(heights, edges, color=colour, linewidth=1.4, label=label)
    if threshold is not None:
        place = np.clip(threshold, *DRAWABLE)
        axes.axvline(place, color="black", linewidth=1, linestyle="--", label="EER threshold")
    tidy(axes, title, "score (right = more real)", "share of the class (%)")
    axes.margins(x=0.01)
    axes.legend(fontsize=8, framealpha=0.9)
    return to_bytes(figure, kind)


def attack_histograms(
    groups: Mapping[str, np.ndarray],
    bonafide: np.ndarray,
    title: str,
    threshold: float | None = None,
    kind: str = "png",
) -> bytes:
    """One row for bona fide (Nb,) and one for each attack, over a shared score axis."""
    rows = [("bona fide", bonafide, BONAFIDE_COLOUR)] if len(bonafide) else []
    rows += [(name, values, SPOOF_COLOUR) for name, values in groups.items()]
    figure = new_figure(6, 1.1 + 0.42 * len(rows))
    edges = _edges([values for _, values, _ in rows])
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values, colour) in zip(panels, rows, strict=True):
        heights = _shares(values, edges)
        axes.stairs(heights, edges, fill=True, alpha=0.75, color=colour)
        if threshold is not None:
            axes.axvline(np.clip(threshold, *DRAWABLE), color="black", linewidth=1, linestyle="--")
        axes.set_ylabel(shortened(name, 24), rotation=0, ha="right", va="center", fontsize=8)
        axes.set_yticks([])
        axes.tick_params(axis="x", labelsize=8, length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color("#BBBBBB")
        axes.set_ylim(0, max(1.0, heights.max() * 1.1))
    line = "  (dashed: EER threshold)" if threshold is not None else ""
    panels[-1].set_xlabel(f"score (right = more real){line}", fontsize=9)
    figure.suptitle(title, fontsize=11, x=0.02, ha="left", fontweight="bold")
    return to_bytes(figure, kind)


def _edges(groups: Sequence[np.ndarray]) -> np.ndarray:
    """Bin edges over all scores; a few far outliers do not squeeze the rest into one bin."""
    pooled = np.concatenate([np.asarray(values, np.float64) for values in groups])
    pooled = np.clip(pooled, *DRAWABLE)
    low, high = np.quantile(pooled, [0.001, 0.999]) if len(pooled) > 1000 else _range(pooled)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, 13 + min(47, len(pooled) // 20))


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Percent of values (T,) in each bin (K,); those outside count in the outermost bins."""
    inside = np.clip(values, edges[0], edges[-1])
    return 100 * np.histogram(inside, edges)[0] / len(values)
