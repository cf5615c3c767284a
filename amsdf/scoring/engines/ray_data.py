"""Ray Data: units of clips -> decoded on CPUs -> scored by actors that keep the detector -> scores.

Ray starts tasks and actors again whose process or machine is lost. The parts of a recording may be
scored by several actors; here, where the command runs, they become its score, once.
"""

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import torch
from ray.data import ActorPoolStrategy, DataContext

from amsdf.config import Experiment
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.cutting import RecordingPart
from amsdf.detector.inference.part_batches import batched, recording_parts
from amsdf.detector.inference.scores import ScoreSettings, score_parts
from amsdf.detector.inference.windows import pool
from amsdf.scoring.engines.row_scorer import RowScores
from amsdf.scoring.engines.work_units import WorkUnit, manifest_units

#: Without GPUs a core scores, and decodes in between.
_SCORING_SHARE, _DECODING_SHARE = 0.75, 0.25
#: Parts are sent from process to process by so many or more.
AT_ONCE = 16
_LINE = pa.schema(
    [
        ("unit", pa.int64()),
        ("row", pa.int64()),
        ("utt", pa.string()),
        ("index", pa.int64()),
        ("last", pa.bool_()),
        ("reason", pa.string()),
        ("power", pa.float64()),
        ("waveform", pa.large_binary()),
    ]
)


@dataclass(frozen=True)
class JudgedClip:
    """What became of a clip; with a reason there is no score."""

    unit: int
    row: int
    utt: str
    score: float
    reason: str = ""


def open_ray(address: str | None) -> None:
    """Join the cluster at an address; without one, that of this machine, or a new one."""
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"--address {address}: no Ray cluster answers there ({reason}); "
            "start one by `ray start --head`"
        ) from None


def judge_units(
    units: Sequence[WorkUnit], detector: Detector, settings: ScoreSettings
) -> Iterator[list[JudgedClip]]:
    """All clips of some units as they are ready, each once."""
    if not units:
        return
    open_ray(settings.address)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    sent = max(AT_ONCE, settings.batch_size)
    clip_bytes = 4 * (detector.experiment.clip.samples or 1)
    context.target_max_block_size = int(0.9 * sent * clip_bytes)  # so that none waits for others

    gpus, cpus = (int(ray.cluster_resources().get(name, 0)) for name in ("GPU", "CPU"))
    where: dict[str, Any] = {"num_gpus": 1} if gpus else {"num_cpus": _SCORING_SHARE}
    kept = [ray.put(detector.cpu())]  # bare, it would be fetched here and sent to each actor
    work = [{"unit": number, "work": pickle.dumps(unit)} for number, unit in enumerate(units)]
    decode: Any = _decode  # Ray's types leave out `fn_args`
    lines = ray.data.from_items(work, override_num_blocks=len(work)).map_batches(
        decode,
        batch_size=1,
        batch_format="pyarrow",
        fn_args=(detector.experiment, sent),
        num_cpus=1 if gpus else _DECODING_SHARE,
    )
    scored = lines.map_batches(
        ScoringActor,
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(min_size=1, initial_size=max(1, gpus or cpus)),
        fn_constructor_args=(kept, settings),
        **where,
    )
    gathered = _Gathered(detector.experiment)
    for table in scored.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield gathered.add(table)


def _decode(table: pa.Table, experiment: Experiment, size: int) -> Iterator[pa.Table]:
    """A unit to lines, `size` parts of recordings a table; the waveforms are in it as bytes."""
    waiting: list[dict[str, Any]] = []
    for number, work in zip(table["unit"].to_pylist(), table["work"].to_pylist(), strict=True):
        for line in _lines(pickle.loads(work), experiment):
            waiting.append({"unit": number, **line})
            if len(waiting) == size:
                yield pa.Table.from_pylist(waiting, _LINE)
                waiting = []
    yield pa.Table.from_pylist(waiting, _LINE)


def _lines(unit: WorkUnit, experiment: Experiment) -> Iterator[dict[str, Any]]:
    for clip in unit.clips():
        about = {"row": clip.row, "utt": clip.utt}
        if clip.reason:
            yield {**about, "index": 0, "last": True, "reason": clip.reason}
            continue
        times = clip.start, clip.end
        parts = recording_parts(clip.name, times, experiment, clip.row, clip.content)
        for index, part in enumerate(parts):
            if isinstance(part, RecordingPart):
                sound = {"power": part.power, "waveform": part.waveform.tobytes()}
                yield {**about, "index": index, "last": part.last, "reason": "", **sound}
            else:
                yield {**about, "index": index, "last": True, "reason": part[1]}


class ScoringActor:
    """Keeps the detector, and scores the lines that it is given."""

    def __init__(self, kept: Sequence[Any], settings: ScoreSettings):
        torch.set_num_threads(1)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.detector: Detector = ray.get(kept[0]).to(device).eval()
        if self.detector.experiment.clip.samples is None:
            self.detector.require_lengths()
        self.settings = settings

    def __call__(self, lines: pa.Table) -> pa.Table:
        """The lines with a score instead of a waveform."""
        scores = [float("nan")] * len(lines)
        sounds = enumerate(lines["waveform"].to_pylist())
        parts = (
            RecordingPart(np.frombuffer(sound, np.float32), 0, 0, 0.0, row=place)
            for place, sound in sounds
            if sound is not None
        )
        for batch in batched(parts, self.settings.batch_size):
            for each in score_parts(self.detector, batch, self.settings):
                scores[each.part.row] = each.score
        return lines.drop_columns(["waveform"]).append_column("score", pa.array(scores))


@dataclass
class _Waiting:
    """The parts of a recording that are here: index -> (score, power)."""

    parts: dict[int, tuple[float, float]] = field(default_factory=dict)
    reason: str = ""
    #: How many lines there are in all, once the last is here.
    count: int | None = None


class _Gathered:
    """Lines to clips."""

    def __init__(self, experiment: Experiment):
        self.rule = experiment.score
        self.waiting: dict[tuple[int, int], _Waiting] = {}

    def add(self, lines: pa.Table) -> list[JudgedClip]:
        """The clips of which all lines are here now."""
        judged = []
        for line in lines.to_pylist():
            key = line["unit"], line["row"]
            found = self.waiting.setdefault(key, _Waiting())
            found.parts[line["index"]] = line["score"], line["power"]
            found.reason = found.reason or line["reason"]
            if line["last"]:
                found.count = line["index"] + 1
            if len(found.parts) == found.count:
                judged.append(self._judged(*key, line["utt"], self.waiting.pop(key)))
        return judged

    def _judged(self, unit: int, row: int, utt: str, found: _Waiting) -> JudgedClip:
        if found.reason:
            return JudgedClip(unit, row, utt, float("nan"), found.reason)
        pairs = [found.parts[index] for index in range(len(found.parts))]
        scores, power = torch.tensor(pairs, dtype=torch.float64).unbind(1)
        return JudgedClip(unit, row, utt, float(pool(scores, power, self.rule)))


def score_rows_with_ray(
    detector: Detector, manifest: Manifest, rows: Sequence[int], settings: ScoreSettings
) -> RowScores:
    """`inference.score_rows` by a cluster; the rows come in any order."""
    units = manifest_units(manifest, rows, max(AT_ONCE, settings.batch_size))
    for judged in judge_units(units, detector, settings):
        good = [each for each in judged if not each.reason]
        failed = [(each.row, each.reason) for each in judged if each.reason]
        yield [each.row for each in good], [each.score for each in good], failed
