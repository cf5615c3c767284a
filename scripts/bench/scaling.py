"""What a million hours of audio cost on CPUs, where that saturates, and a simulated cluster.

The rates are measured elsewhere (`amsdf_scoring.py`, `aasist.py`, …) and given here. The model of
the cluster is in `simulate`; docs/scaling.md says it in words.

    python scripts/bench/scaling.py --rate starter=9 --rate aasist=2.5 --plot docs/scaling.svg
"""

import argparse
import heapq
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WORKERS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Cluster:
    """What all workers share, and what a worker is like."""

    #: Clips that a worker is given at once.
    batch: int
    #: Megabytes of a clip as it is stored.
    clip_mb: float
    #: Megabytes a second that the store of the recordings gives to all together.
    reader: float
    #: Seconds of the one driver for each batch.
    driver: float
    #: Seconds until a worker has started and opened its detector.
    start: float
    #: The share of batches that take `slowness` times as long, and by how much others vary.
    stragglers: float
    slowness: float
    spread: float


def simulate(rate: float, workers: int, cluster: Cluster, batches: int, seed: int = 0) -> float:
    """Clips a second of a cluster whose workers each do `rate` clips a second alone.

    A worker asks for its next batch when it begins one. The store serves one request after the
    other, and the driver one finished batch after the other. Times of batches are lognormal with
    the measured spread; some are slow.
    """
    rng = np.random.default_rng(seed)
    median = cluster.batch / rate
    times = median * rng.lognormal(0, cluster.spread, batches)
    times[rng.random(batches) < cluster.stragglers] *= cluster.slowness
    reading = cluster.batch * cluster.clip_mb / cluster.reader

    store = driver = 0.0
    ready = [0.0] * workers  # when the sound of its next batch is there
    busy: list[tuple[float, int]] = []
    for worker in range(workers):
        store += reading
        ready[worker] = store
        heapq.heappush(busy, (cluster.start, worker))
    for time in times:
        now, worker = heapq.heappop(busy)
        begin = max(now, ready[worker], driver - median)  # one batch waits at the worker
        store = max(store, begin) + reading
        ready[worker] = store
        driver = max(driver, now) + cluster.driver
        heapq.heappush(busy, (begin + time, worker))
    return batches * cluster.batch / max(driver, max(busy)[0])


def limits(rate: float, cluster: Cluster) -> tuple[float, float]:
    """Workers at which the store, and at which the driver, gives no more."""
    return cluster.reader / (rate * cluster.clip_mb), cluster.batch / (rate * cluster.driver)


def both(scoring: float, decoding: float) -> float:
    """Clips a second of a core that decodes and scores in turn."""
    return 1 / (1 / scoring + 1 / decoding)


def cost_table(rates: dict[str, float], args: argparse.Namespace, cluster: Cluster) -> str:
    """A row for each detector."""
    clips = args.hours * 3600 / args.clip_seconds
    lines = [
        "| detector | clips/s a core | of its time decoding | core hours | machines of "
        f"{args.cores} cores for {args.days} days | cost | store full at | driver full at |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, scoring in rates.items():
        rate = both(scoring, args.decode)
        hours = clips / rate / 3600
        machines = hours / (args.days * 24 * args.cores)
        store, driver = (f"{number:,.0f} cores" for number in limits(rate, cluster))
        lines.append(
            f"| {name} | {rate:.3g} | {100 * rate / args.decode:.1f} % | {hours:,.0f} | "
            f"{machines:,.1f} | {hours * args.price:,.0f} | {store} | {driver} |"
        )
    return "\n".join(lines)


def curve_table(curves: dict[str, list[float]], rates: dict[str, float]) -> str:
    """Clips a second and the share of an ideal cluster, for each number of workers."""
    lines = ["| workers | " + " | ".join(curves) + " |", "|---" * (len(curves) + 1) + "|"]
    for place, workers in enumerate(WORKERS):
        cells = [
            f"{found[place]:.3g} clips/s ({100 * found[place] / (workers * rates[name]):.0f} %)"
            for name, found in curves.items()
        ]
        lines.append(f"| {workers} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(curves: dict[str, list[float]], rates: dict[str, float], file: Path) -> None:
    """Times one worker over the number of workers; curves that lie on each other are one."""
    figure, axes = plt.subplots(figsize=(5.2, 3.6), layout="constrained")
    axes.plot(WORKERS, WORKERS, color="0.7", linestyle="--", label="ideal")
    for names, times in alike(
        {name: np.array(each) / rates[name] for name, each in curves.items()}
    ):
        label = ", ".join(names) + (" (one line: they scale alike)" if len(names) > 1 else "")
        axes.plot(WORKERS, times, marker="o", markersize=3, label=label)
    axes.set(xscale="log", yscale="log", xlabel="workers", ylabel="times one worker")
    axes.set_xticks(WORKERS, [str(each) for each in WORKERS])
    axes.set_yticks(WORKERS, [str(each) for each in WORKERS])
    axes.minorticks_off()
    axes.legend(frameon=False)
    figure.savefig(file)


def alike(curves: dict[str, np.ndarray]) -> list[tuple[list[str], np.ndarray]]:
    """The names of curves that differ by less than a twentieth, and their mean."""
    groups: list[list[str]] = []
    for name, curve in curves.items():
        for names in groups:
            if np.abs(curve / curves[names[0]] - 1).max() < 0.05:
                names.append(name)
                break
        else:
            groups.append([name])
    return [(names, np.mean([curves[name] for name in names], axis=0)) for names in groups]


def named_rate(text: str) -> tuple[str, float]:
    """`aasist=2.5`."""
    name, _, rate = text.partition("=")
    return name, float(rate)


def flags() -> argparse.ArgumentParser:
    """What was measured, and what is assumed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--rate", type=named_rate, action="append", required=True, help="NAME=CLIPS/S of a core")
    add("--decode", type=float, default=400.0, help="clips a second that a core decodes")
    add("--hours", type=float, default=1e6, help="of audio")
    add("--clip-seconds", type=float, default=4.04)
    add("--price", type=float, default=0.04, help="of a core hour")
    add("--cores", type=int, default=64, help="of a machine")
    add("--days", type=float, default=7)
    add("--batch", type=int, default=16, help="clips sent at once")
    add("--clip-mb", type=float, default=0.07, help="of a stored clip (FLAC, 16 kHz)")
    add("--reader", type=float, default=1000.0, help="MB/s of the store, for all")
    add("--slow-reader", type=float, default=10.0, help="MB/s of a slow store, drawn as well")
    add("--driver", type=float, default=0.01, help="seconds of the driver a batch")
    add("--start", type=float, default=10.0, help="seconds until an actor is ready")
    add("--spread", type=float, default=0.1, help="standard deviation of log seconds of a batch")
    add("--stragglers", type=float, default=0.01, help="share of slow batches")
    add("--slowness", type=float, default=5.0, help="how many times as long they take")
    add("--minutes", type=float, default=60.0, help="of work for each simulated worker")
    add("--plot", type=Path, metavar="FILE", help="picture of the simulated curves")
    add("--json", type=Path, metavar="FILE")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Print the tables, draw the curves."""
    args = flags().parse_args(words)
    given = ("batch", "clip_mb", "reader", "driver", "start", "stragglers", "slowness", "spread")
    cluster = Cluster(**{name: getattr(args, name) for name in given})
    scoring = dict(args.rate)
    rates = {name: both(rate, args.decode) for name, rate in scoring.items()}

    def curve(rate: float, shared: Cluster) -> list[float]:
        work = args.minutes * 60 * rate / args.batch
        return [simulate(rate, n, shared, max(n, round(work * n))) for n in WORKERS]

    curves = {name: curve(rate, cluster) for name, rate in rates.items()}
    quickest = max(rates, key=rates.__getitem__)
    slow = f"{quickest}, store of {args.slow_reader:g} MB/s"
    rates[slow] = rates[quickest]
    curves[slow] = curve(rates[slow], replace(cluster, reader=args.slow_reader))
    print(cost_table(scoring, args, cluster) + "\n")
    print(curve_table(curves, rates))
    if args.plot:
        draw(curves, rates, args.plot)
    if args.json:
        found = {"workers": WORKERS, "rates": rates, "clips a second": curves}
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
