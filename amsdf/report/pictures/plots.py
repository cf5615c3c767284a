"""Pictures of scores as PNG or SVG bytes: DET curves, heat map, bars with intervals, calibration.

Colours are those of Okabe and Ito, told apart by colour-blind readers too. Figures are objects of
their own: nothing touches the global state of pyplot, no window is ever opened.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.special import ndtri

from amsdf.metrics import det_curve, eer
from amsdf.report.tables import percent

BONAFIDE_COLOUR = "#0072B2"
SPOOF_COLOUR = "#D55E00"
GREY = "#6B6B6B"
PALETTE = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4FBF", "#8C6D31"),
    *("#000000", "#B8A800"),
)
_DASHES = ("-", "--", "-.", ":")
_PERCENT_TICKS = (0.1, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 99)
_MOST_POINTS = 2000


@dataclass(frozen=True)
class Bar:
    """One bar of `bar_chart`: a rate with its interval, as fractions."""

    name: str
    rate: float
    low: float | None = None
    high: float | None = None


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in the house style, sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=130, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes, title: str, x: str, y: str) -> None:
    """Title, axis labels, a faint grid, no box."""
    axes.set_title(title, fontsize=11, loc="left", fontweight="bold")
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def to_bytes(figure: Figure, kind: str = "png") -> bytes:
    """The figure as a PNG or SVG file."""
    if kind not in ("png", "svg"):
        raise ValueError(f"no picture format {kind!r}; use png or svg")
    stream = io.BytesIO()
    # Without a date the same scores give the same bytes.
    figure.savefig(stream, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return stream.getvalue()


def shortened(name: str, most: int = 28) -> str:
    """A name that fits beside an axis: the middle is left out of a long one."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def det_plot(
    systems: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str, kind: str = "png"
) -> bytes:
    """DET curves on probit axes; each system is its (bonafide (Nb,), spoof (Ns,)) scores."""
    figure = new_figure(5.6, 5.3 + 0.2 * len(systems))
    axes = figure.add_subplot()
    floor = 0.5 / max(max(len(b), len(s)) for b, s in systems.values())
    lowest = min(0.01, max(floor, 0.0005))
    highest = 0.6
    for index, (name, (bonafide, spoof)) in enumerate(systems.items()):
        rate = eer(bonafide, spoof).rate
        highest = max(highest, min(0.99, rate + 0.15))
        colour = PALETTE[index % len(PALETTE)]
        dash = _DASHES[index // len(PALETTE) % len(_DASHES)]
        far, frr = _thinned(bonafide, spoof)
        label = f"{shortened(name)}  (EER {percent(rate)} %)"
        axes.plot(
            *(_probit(far, lowest / 3), _probit(frr, lowest / 3)),
            color=colour,
            linestyle=dash,
            label=label,
        )
        point = _probit(np.array([rate]), lowest)
        axes.plot(point, point, "o", color=colour, markersize=5)
    ends = ndtri([lowest, highest])
    axes.plot(ends, ends, color=GREY, linewidth=0.7, linestyle=":")
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    ticks = [tick for tick in _PERCENT_TICKS if lowest <= tick / 100 <= highest]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ndtri(np.array(ticks) / 100), [f"{tick:g}" for tick in ticks])
    tidy(axes, title, "fakes accepted as real (%)", "real recordings rejected (%)")
    figure.legend(fontsize=8, loc="outside lower center", frameon=False)
    return to_bytes(figure, kind)


def _probit(rates: np.ndarray, floor: float) -> np.ndarray:
    return ndtri(np.clip(rates, floor, 1 - floor))


def _thinned(bonafide: np.ndarray, spoof: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rates (K,) and (K,), at most `_MOST_POINTS` of them, evenly along the probit curve."""
    curve = det_curve(bonafide, spoof)
    if len(curve.far) <= _MOST_POINTS:
        return curve.far, curve.frr
    place = _probit(curve.frr, 1e-6) - _probit(curve.far, 1e-6)
    wanted = np.linspace(place[0], place[-1], _MOST_POINTS)
    kept = np.unique(np.searchsorted(place, wanted).clip(0, len(place) - 1))
    return curve.far[kept], curve.frr[kept]


def heat_map(
    rates: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "Equal error rate (%)",
    kind: str = "png",
) -> bytes:
    """EERs (R, C) as fractions, NaN where there is none; above 50 % is marked as inverted."""
    width = max(5.5, 2.6 + 1.3 * len(columns))
    figure = new_figure(width, 1.4 + 0.42 * len(rows))
    axes = figure.add_subplot()
    rates = np.ma.masked_invalid(np.asarray(rates, np.float64))
    image = axes.imshow(100 * rates, cmap="YlOrBr", vmin=0, vmax=60, aspect="auto")
    axes.set_facecolor("#EEEEEE")
    for row, column in np.ndindex(rates.shape):
        text, colour = _cell_text(float(rates.filled(np.nan)[row, column]))
        axes.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    long = len(columns) > 5 or max(map(len, columns)) > 16
    axes.set_xticks(
        *(range(len(columns)), [shortened(name, 24) for name in columns]),
        rotation=25 if long else 0,
        ha="right" if long else "center",
        rotation_mode="anchor" if long else "default",
    )
    axes.set_yticks(range(len(rows)), [shortened(name) for name in rows])
    axes.tick_params(labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=11, loc="left", fontweight="bold")
    bar = figure.colorbar(image, ax=axes, extend="max", pad=0.02)
    bar.ax.tick_params(labelsize=8)
    return to_bytes(figure, kind)


def _cell_text(rate: float) -> tuple[str, str]:
    if np.isnan(rate):
        return "–", GREY
    inverted = "  ▲" if rate > 0.5 else ""
    return percent(rate) + inverted, "white" if rate > 0.36 else "black"


def _reach(bar: Bar) -> tuple[float, float]:
    """How far its interval goes below and above; nothing where there is none."""
    low = bar.rate if bar.low is None else bar.low
    high = bar.rate if bar.high is None else bar.high
    return bar.rate - low, high - bar.rate


def bar_chart(bars: Sequence[Bar], title: str, kind: str = "png") -> bytes:
    """Horizontal bars of EER with intervals, the first on top."""
    ranked = list(reversed(bars))
    rates = 100 * np.array([bar.rate for bar in ranked])
    reach = 100 * np.array([_reach(bar) for bar in ranked]).T
    figure = new_figure(6, 1.2 + 0.32 * len(ranked))
    axes = figure.add_subplot()
    places = np.arange(len(ranked))
    axes.barh(places, rates, height=0.62, color=SPOOF_COLOUR, alpha=0.8)
    axes.errorbar(
        rates, places, xerr=reach.clip(0), fmt="none", ecolor="black", elinewidth=1.1, capsize=3
    )
    furthest = rates + reach[1].clip(0)
    for place, bar, end in zip(places, ranked, furthest, strict=True):
        axes.annotate(
            percent(bar.rate),
            (end, place),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(places, [shortened(bar.name) for bar in ranked])
    axes.set_xlim(0, max(5.0, furthest.max() * 1.12))
    if axes.get_xlim()[1] > 50:
        axes.axvline(50, color=GREY, linewidth=1, linestyle=":")
    tidy(axes, title, "equal error rate (%), with 95 % interval", "")
    axes.grid(visible=False, axis="y")
    return to_bytes(figure, kind)


def reliability_plot(
    probabilities: np.ndarray,
    labels: np.ndarray,
    title: str,
    prior: float = 0.5,
    kind: str = "png",
) -> bytes:
    """Predicted probability of bona fide (T,) against what was true, labels (T,), 1 = bona fide.

    Trials are weighed so that bona fide makes up `prior` of them, for which the probability was
    stated, whatever the balance of the corpus is.
    """
    figure = new_figure(4.8, 5.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    edges = np.linspace(0, 1, 11)
    place = np.clip(np.digitize(probabilities, edges) - 1, 0, 9)
    counts = np.bincount(place, minlength=10)
    filled = counts > 0
    real = labels == 1
    weight = np.where(real, prior / max(real.sum(), 1), (1 - prior) / max((~real).sum(), 1))
    total = np.bincount(place, weight, 10)[filled]
    predicted = np.bincount(place, weight * probabilities, 10)[filled] / total
    observed = np.bincount(place, weight * real, 10)[filled] / total
    low, high = _wilson(observed, counts[filled])
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="perfect")
    reach = np.stack([observed - low, high - observed]).clip(0)
    upper.errorbar(
        *(predicted, observed, reach),
        fmt="o-",
        color=BONAFIDE_COLOUR,
        capsize=3,
        label="this detector, with 95 % intervals",
    )
    upper.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    tidy(upper, title, "", "share that really was real")
    upper.legend(fontsize=8, loc="best")
    for chosen, colour, name in (
        (~real, SPOOF_COLOUR, "spoof"),
        (real, BONAFIDE_COLOUR, "bona fide"),
    ):
        heights = np.histogram(probabilities[chosen], edges)[0]
        lower.stairs(heights, edges, color=colour, fill=True, alpha=0.45, label=name)
    tidy(lower, "", "predicted probability of real", "recordings")
    lower.legend(fontsize=7, loc="best")
    return to_bytes(figure, kind)


def _wilson(share: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % bounds (K,) of shares (K,) of so many trials; they stay within 0 and 1."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * counts)) / (1 + z2 / counts)
    half = np.sqrt(z2 * (share * (1 - share) + z2 / (4 * counts)) / counts) / (1 + z2 / counts)
    return middle - half, middle + half
