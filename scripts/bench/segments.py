"""A long recording of which a manifest lists many parts, read part by part.

The plain way decodes each part from the beginning of the file, as most readers do for formats other
than wav and flac. With `--hours 1 --segments 900` the plain way is timed on a few segments only and
multiplied: it would take an hour.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np
import soundfile
from _paired import Pairs, compare, flags, report

from amsdf.audio import read_audio

RATE = 22_050
#: Suffix -> FFmpeg's coder; without one, libsndfile writes it.
FORMATS = {".wav": None, ".flac": None, ".ogg": None, ".mp3": "libmp3lame", ".m4a": "aac"}
LENGTH = 4.0


def seconds_of_sound(seconds: int) -> Iterator[np.ndarray]:
    """A second after the other (RATE,): a gliding pitch in noise."""
    rng = np.random.default_rng(0)
    for start in range(seconds):
        time = start + np.arange(RATE) / RATE
        noise = 0.1 * rng.standard_normal(RATE) * np.sin(time) ** 2
        yield (0.3 * np.sin(time * (900 + 300 * np.sin(time))) + noise).astype(np.float32)


def write(path: Path, coder: str | None, seconds: int) -> None:
    """A recording in the format of its suffix."""
    if coder is None:
        with soundfile.SoundFile(path, "w", RATE, channels=1) as file:
            for block in seconds_of_sound(seconds):
                file.write(block)
        return
    with av.open(str(path), "w") as container:
        stream = container.add_stream(coder, rate=RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.open()
        size = stream.codec_context.frame_size
        sound = np.concatenate(list(seconds_of_sound(seconds)))
        for at in range(0, len(sound), size):
            frame = av.AudioFrame.from_ndarray(
                sound[None, at : at + size], format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def from_the_beginning(path: Path, start: float) -> np.ndarray:
    """The part of a file that is decoded up to its end."""
    whole = read_audio(path, None, start + LENGTH)
    return whole[round(start * 16_000) :]


def read_parts(read: Callable[[float], np.ndarray], starts: np.ndarray) -> None:
    """All parts, one after the other."""
    for start in starts:
        read(float(start))


def times(path: Path, starts: np.ndarray, few: np.ndarray, runs: int) -> Pairs:
    """Both ways for one file; the plain one on a few starts, times as many as there are."""
    plain = partial(read_parts, partial(from_the_beginning, path), few)
    ours = partial(read_parts, lambda start: read_audio(path, start, start + LENGTH), starts)
    found = compare(f"parts of {path.suffix[1:]}", plain, ours, runs)
    share = len(starts) / len(few)
    return replace(found, plain=[seconds * share for seconds in found.plain])


def main() -> None:
    """Time every format."""
    parser = flags(__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="of the recording (default 1)")
    parser.add_argument("--segments", type=int, default=900, help="parts (default 900)")
    parser.add_argument("--few", type=int, default=6, help="of them, read in the plain way")
    arguments = parser.parse_args()

    seconds = round(arguments.hours * 3600)
    starts = np.linspace(0.5, seconds - LENGTH - 1, arguments.segments)
    few = starts[np.linspace(0, len(starts) - 1, min(arguments.few, len(starts))).astype(int)]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, coder in FORMATS.items():
            path = Path(folder) / f"a{suffix}"
            write(path, coder, seconds)
            pairs = times(path, starts, few, arguments.runs)
            work = f"{len(starts)} parts of {LENGTH:g} s from {seconds} s"
            found.append(replace(pairs, work=work))
    report(found, arguments.runs, arguments.json)


if __name__ == "__main__":
    main()
