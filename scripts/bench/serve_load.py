"""How `amsdf serve` bears load: many clients at once, then more than it takes for some minutes.

    python scripts/bench/serve_load.py                 # 200 requests of 20 clients, then 120 s
    python scripts/bench/serve_load.py --seconds 600 --clients 60 --recordings calls/

It starts a service on a free port of this machine, asks it, and ends it. Every answer is compared
with that of `amsdf.load(…)(file)`. A 503 is counted, and asked again after a short wait.
"""

import argparse
import http.client
import io
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

import amsdf

MAIN = Path(__file__).parents[2] / "main.py"
RATE = 16_000
#: Seconds before a refused client asks again: less than it is told, so that the queue stays full.
_AGAIN = 0.5


@dataclass
class Load:
    """What clients ask, and what came back."""

    port: int
    contents: Sequence[bytes]
    scores: Sequence[float]
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    worst: float = 0.0

    def ask(self, number: int) -> int:
        """Judge one of the recordings, and compare."""
        place, started = number % len(self.contents), time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request("POST", "/v1/judge", self.contents[place], {})
            got = connection.getresponse()
            body = json.loads(got.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.lost.append(repr(error))
            return 0
        finally:
            connection.close()
        self.statuses[got.status] += 1
        if got.status == 200:
            self.seconds.append(time.perf_counter() - started)
            self.worst = max(self.worst, abs(body["score"] - self.scores[place]))
        return got.status

    def summary(self, wall: float) -> str:
        """All of it, a few lines."""
        shares = (50, 90, 95, 99, 100)
        marks = {share: np.percentile(self.seconds or [0.0], share) for share in shares}
        latency = ", ".join(f"p{share} {mark:.2f} s" for share, mark in marks.items())
        counts = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        done = len(self.seconds)
        return (
            f"{done} judged in {wall:.0f} s ({done / wall:.1f} a second); answers: {counts}; "
            f"lost: {len(self.lost)}\nlatency: {latency}\n"
            f"largest difference from judge(file): {self.worst:.1e}"
        )


def run_clients(load: Load, clients: int, goes_on: Callable[[int], bool]) -> float:
    """So many clients, each asking again while `goes_on` with the number asked -> seconds."""
    lock, asked = threading.Lock(), 0

    def client() -> None:
        nonlocal asked
        while True:
            with lock:
                number = asked
                if not goes_on(number):
                    return
                asked += 1
            while load.ask(number) == 503:
                time.sleep(_AGAIN)

    started = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def watch_memory(pid: int, ended: threading.Event, found: list[float]) -> None:
    """The resident memory of a process in MB, once a second."""
    while not ended.wait(1):
        text = Path(f"/proc/{pid}/status").read_text()
        (line,) = [line for line in text.splitlines() if line.startswith("VmRSS")]
        found.append(int(line.split()[1]) / 1024)


def made_up(count: int = 12) -> list[bytes]:
    """Recordings of 2 to 8 s: harmonic tones that come and go, in noise."""
    rng, found = np.random.default_rng(0), []
    for seconds in np.linspace(2, 8, count):
        time_ = np.arange(int(seconds * RATE)) / RATE
        pitch = rng.uniform(90, 250) * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time_))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        voice = (
            sum(np.sin(k * phase) / k for k in range(1, 20)) * np.sin(2 * np.pi * 2 * time_) ** 2
        )
        file = io.BytesIO()
        sound = 0.1 * voice + 0.003 * rng.standard_normal(len(time_))
        soundfile.write(file, sound, RATE, format="WAV", subtype="PCM_16")
        found.append(file.getvalue())
    return found


def start(detector: str, log: Path) -> tuple[subprocess.Popen[str], int]:
    """A service on a free port, once it is ready."""
    words = [sys.executable, str(MAIN), "serve", "--port", "0", "--detector", detector]
    with log.open("w") as err:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=err, text=True)
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        sys.exit(f"serve_load.py: the service did not start; {log} says why")
    port = int(line.rpartition(":")[2])
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/readyz")
        if connection.getresponse().status == 200:
            return process, port
        time.sleep(0.2)


def main() -> None:
    """Start, ask, ask more, say how it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", default="starter")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--clients", type=int, default=40, help="of the second part")
    parser.add_argument("--recordings", type=Path, help="a folder; without it, made-up sounds")
    parser.add_argument("--log", type=Path, default=Path("serve_load.log"))
    args = parser.parse_args()
    contents = made_up()
    if args.recordings:
        contents = [file.read_bytes() for file in sorted(args.recordings.glob("*"))[:50]]
    judge = amsdf.load(args.detector, device="cpu")
    scores = [judge(content).score or 0.0 for content in contents]
    del judge

    process, port = start(args.detector, args.log)
    memory: list[float] = []
    ended = threading.Event()
    threading.Thread(target=watch_memory, args=(process.pid, ended, memory)).start()
    try:
        first = Load(port, contents, scores)
        print(f"200 requests of 20 clients: {first.summary(run_clients(first, 20, _below(200)))}")
        end, behind = time.monotonic() + args.seconds, len(memory)
        second = Load(port, contents, scores)
        wall = run_clients(second, args.clients, lambda _: time.monotonic() < end)
        print(f"{args.clients} clients without a pause: {second.summary(wall)}")
        print(f"resident memory in MB: {_memory(memory, behind)}")
    finally:
        ended.set()
        process.terminate()
        print(f"ended with status {process.wait(60)}; its log: {args.log}")


def _below(limit: int) -> Callable[[int], bool]:
    return lambda number: number < limit


def _memory(found: list[float], behind: int) -> str:
    later = found[behind:] or found
    tenths = [later[len(later) * tenth // 10] for tenth in range(10)] + [later[-1]]
    return f"{found[0]:.0f} at the start; then {', '.join(f'{value:.0f}' for value in tenths)}"


if __name__ == "__main__":
    main()
