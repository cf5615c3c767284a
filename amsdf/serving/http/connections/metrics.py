"""What a service has done, in the text format of Prometheus. No label comes from a request."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

#: Upper ends of the buckets of the latency histogram, in seconds.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts of one process; only the event loop changes them."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self._sound = 0.0

    def count(self, route: str, status: int, seconds: float) -> None:
        """One request that has been answered."""
        self._requests[route, status] += 1
        self._buckets.setdefault(route, [0] * (len(BUCKETS) + 1))[
            bisect_left(BUCKETS, seconds)
        ] += 1
        self._seconds[route] += seconds  # type: ignore[assignment]

    def heard(self, seconds: float) -> None:
        """A recording that has been judged."""
        self._sound += seconds

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All of it; `gauges` adds what is now: name -> (what it is, value)."""
        lines = _head("requests_total", "counter", "Requests by route and status.")
        for (route, status), count in sorted(self._requests.items()):
            lines.append(f'amsdf_requests_total{{route="{route}",status="{status}"}} {count}')
        lines += _head("request_seconds", "histogram", "Seconds from request to answer.")
        for route, counts in sorted(self._buckets.items()):
            lines += self._histogram(route, counts)
        lines += _head("judged_sound_seconds_total", "counter", "Seconds of sound judged.")
        lines.append(f"amsdf_judged_sound_seconds_total {self._sound:.3f}")
        for name, (what, value) in gauges.items():
            lines += [*_head(name, "gauge", what), f"amsdf_{name} {value:g}"]
        return "\n".join(lines) + "\n"

    def _histogram(self, route: str, counts: list[int]) -> list[str]:
        name, lines, total = "amsdf_request_seconds", [], 0
        for end, count in zip([*(f"{end:g}" for end in BUCKETS), "+Inf"], counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{route="{route}",le="{end}"}} {total}')
        lines.append(f'{name}_sum{{route="{route}"}} {self._seconds[route]:.6f}')
        lines.append(f'{name}_count{{route="{route}"}} {total}')
        return lines


def _head(name: str, kind: str, what: str) -> list[str]:
    return [f"# HELP amsdf_{name} {what}", f"# TYPE amsdf_{name} {kind}"]
