"""Many recordings to verdicts: one after the other, and none twice.

A `VerdictLog` keeps each verdict at once, so that a run that is stopped goes on where it was. A
verdict counts for later runs while the recording (path, size, time of change) and everything else
that decides it stay the same.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from av import FFmpegError
from pydantic import TypeAdapter, ValidationError

from amsdf import __version__
from amsdf.audio import AudioError, stream_audio
from amsdf.audio.files.reading import AudioStream
from amsdf.data.manifest import Manifest
from amsdf.files import make_folder_of, write_text
from amsdf.scoring.judging.judge import Judge, Watch
from amsdf.scoring.judging.verdict import Verdict
from amsdf.scoring.reference import TrainingReference
from amsdf.scoring.scorer import describe_detector

_VERDICTS = TypeAdapter(Verdict)
#: How a row of a manifest names a recording that is given as bytes.
STANDARD_INPUT = "-"


def require_verdict_file(out: Path) -> None:
    """Refuse to write over a file that did not come from here."""
    if out.is_file() and out.stat().st_size and not _log_of(out).is_file():
        raise ValueError(f"{out}: exists and holds no verdicts of ours; give another --out")


def _log_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.verdicts.jsonl")


class VerdictLog:
    """Verdicts in a hidden file beside `out`, a line each, below what decides them."""

    def __init__(self, out: Path, judge: Judge):
        self.path = _log_of(out)
        header = json.dumps(_what_decides(judge), sort_keys=True)
        lines = self.path.read_text("utf-8").splitlines() if self.path.is_file() else []
        self._known: dict[str, Verdict] = {}
        if lines and lines[0] == header:
            for line in lines[1:]:
                with suppress(ValueError, KeyError, ValidationError):  # cut off while written
                    entry = json.loads(line)
                    self._known[entry["recording"]] = _VERDICTS.validate_python(entry["verdict"])
        else:
            make_folder_of(self.path)
            write_text(self.path, header)

    def find(self, row: Mapping[str, Any]) -> Verdict | None:
        """The verdict on a recording that has not changed since."""
        return self._known.get(_identity(row))

    def keep(self, row: Mapping[str, Any], verdict: Verdict) -> None:
        """Write a verdict down."""
        entry = {"recording": _identity(row), "verdict": asdict(verdict)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(entry))  # a line that was cut off stays alone


def _what_decides(judge: Judge) -> dict[str, str]:
    calibration = judge.calibration.to_json() if judge.calibration else ""
    return {
        **describe_detector(judge.detector, judge.name, judge.settings),
        "calibration": calibration,
        "reference": _digest(judge.reference),
        "threshold": judge.threshold or "",
        "version": __version__,
    }


def _digest(reference: TrainingReference | None) -> str:
    if reference is None:
        return ""
    arrays = (np.asarray(getattr(reference, item.name)) for item in fields(reference))
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:12]


def _identity(row: Mapping[str, Any]) -> str:
    path = Path(row["path"]).absolute()
    state = path.stat() if path.is_file() else None
    size, time = (state.st_size, state.st_mtime_ns) if state else (0, 0)
    return f"{path}|{size}|{time}|{row.get('start')}|{row.get('end')}"


def open_row(row: Mapping[str, Any], given: bytes = b"") -> AudioStream:
    """The sound of a row of a manifest, or of the bytes that were `given` as standard input."""
    if row["path"] == STANDARD_INPUT:
        content = BytesIO(given)
        content.name = "standard input"
        return stream_audio(content)
    return stream_audio(row["path"], row.get("start"), row.get("end"))


def judge_recordings(
    judge: Judge,
    recordings: Manifest,
    log: VerdictLog | None = None,
    given: bytes = b"",
    watch: Watch = iter,
) -> Iterator[tuple[dict[str, Any], Verdict | AudioError]]:
    """Each row of a manifest with its verdict, or why there is none.

    Args:
        judge: Who judges.
        recordings: What is judged.
        log: Where verdicts are kept and looked up.
        given: The content of standard input, for a row of that name.
        watch: Sees the blocks of each recording pass.
    """
    for row in recordings.table.iter_rows(named=True):
        kept = log if row["path"] != STANDARD_INPUT else None  # it is another one each time
        verdict: Verdict | AudioError | None = kept.find(row) if kept else None
        if verdict is None:
            verdict = _judge_row(judge, row, given, watch)
            if kept and isinstance(verdict, Verdict):
                kept.keep(row, verdict)
        yield row, verdict


def _judge_row(
    judge: Judge, row: Mapping[str, Any], given: bytes, watch: Watch
) -> Verdict | AudioError:
    try:
        return judge.judge_stream(open_row(row, given), watch)
    except AudioError as error:
        return error
    except (ValueError, OSError, FFmpegError) as error:  # whatever decoding raises is the file's
        return AudioError(row["path"], str(error))
