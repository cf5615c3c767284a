"""Very large collections: Parquet manifests anywhere -> a folder of scores, by a Ray cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileSystem, FileType
from tqdm import tqdm

from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.scoring.engines.ray_data import AT_ONCE, JudgedClip, judge_units
from amsdf.scoring.engines.results import FAILED, ResultFolder, ScoredRow
from amsdf.scoring.engines.work_units import FileUnit, audio_column, file_units, open_place
from amsdf.scoring.scorer import NOT_FINITE, describe_detector
from amsdf.weights import digest_of_tensors

__all__ = ["FAILED", "Collection", "CollectionOutcome", "score_collection"]
_SUFFIX = ".parquet"


@dataclass(frozen=True)
class CollectionOutcome:
    """What became of a collection."""

    listed: int
    scored: int
    failed: int


@dataclass(frozen=True)
class Collection:
    """Parquet files on one file system: path -> number of rows."""

    files: FileSystem
    heights: dict[str, int]

    @classmethod
    def at(cls, place: str, files: FileSystem | None = None) -> "Collection":
        """The Parquet file, or all files below the folder, at a place.

        Args:
            place: A path, or with a scheme: `s3://bucket/folder`.
            files: The file system of a path, if it is not that of this machine.
        """
        if files is None:
            files, place = open_place(place)
        found = sorted(_parquet_files(files, place))
        if not found:
            raise ValueError(
                f"{place}: is no Parquet file and no folder of them; "
                "give a table with a column of sound (bytes) or a column 'path'"
            )
        return cls(files, {path: _height(files, path) for path in found})

    def __len__(self) -> int:
        return sum(self.heights.values())


def _parquet_files(files: FileSystem, place: str) -> Iterator[str]:
    """Paths of Parquet files; those whose names begin with . or _ are not complete, or notes."""
    about = files.get_file_info(place)
    if about.type == FileType.File:
        listed = [about]
    elif about.type == FileType.Directory:
        listed = files.get_file_info(FileSelector(place, recursive=True))
    else:
        raise ValueError(f"{place}: no such file or folder")
    for each in listed:
        if each.path.lower().endswith(_SUFFIX) and each.base_name[0] not in "._":
            yield each.path


def _height(files: FileSystem, path: str) -> int:
    try:
        with files.open_input_file(path) as file:
            table = pq.ParquetFile(file)
            audio_column(path, table.schema_arrow)
            return table.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path}: is not a Parquet file ({reason})") from None


def _checked(units: Sequence[FileUnit], judged: JudgedClip) -> ScoredRow:
    file, reason = units[judged.unit].file, judged.reason
    if not reason and not isfinite(judged.score):
        reason = f"{file}/{judged.row}: {NOT_FINITE}"
    return ScoredRow(file, judged.row, judged.utt, judged.score, reason)


def score_collection(
    named: tuple[str, Detector],
    collection: Collection,
    out: tuple[FileSystem, str],
    settings: ScoreSettings,
) -> CollectionOutcome:
    """Score what has no score yet into a folder, `out`, of Parquet files; list what failed.

    A run that is killed is started again, and goes on.
    """
    name, detector = named
    header = {
        **describe_detector(detector, name, settings),
        "weights": digest_of_tensors(detector.state_dict()),
    }
    results = ResultFolder(*out, header)
    size = max(AT_ONCE, settings.batch_size)
    units = file_units(collection.files, collection.heights, results.done(), size)
    left = sum(unit.stop - unit.first - len(unit.skip) for unit in units)
    total = len(collection)
    try:
        with tqdm(
            total=total, initial=total - left, unit="clip", disable=not settings.progress
        ) as shown:
            for judged in judge_units(units, detector, settings):
                results.add([_checked(units, each) for each in judged])
                if settings.strict and results.failed:
                    raise ValueError(results.failed[0].reason)
                shown.update(len(judged))
    finally:  # what is done is kept, also when it is stopped
        results.finish()
    return CollectionOutcome(total, total - len(results.failed), len(results.failed))
