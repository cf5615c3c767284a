"""A result folder against its record: its files unchanged, its figures derived anew."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from amsdf.config import Experiment
from amsdf.evaluation.arena.checking import submission_figures
from amsdf.evaluation.bundles.ladder import (
    BETWEEN_MACHINES,
    Agreement,
    DerivedFigure,
    agreement,
    figures_of,
    lowest,
)
from amsdf.evaluation.bundles.record import RECORD, Record, read_record, refuse_changes
from amsdf.scoring.score_files.table import Scores, detector_of, read_scores

#: Makes the tables of a folder of scores, in another folder, by the flags of `report`.
Remake = Callable[[Path, Path, Sequence[str]], None]


@dataclass(frozen=True)
class Verification:
    """What was found of one record: how each part agrees, and what only its SHA-256 answers for."""

    folder: Path
    record: Record
    parts: dict[str, Agreement] = field(default_factory=dict)
    by_digest: tuple[str, ...] = ()
    #: Tables in the folder that the record does not know: of an earlier run, or of somebody else.
    unknown: tuple[str, ...] = ()

    @property
    def step(self) -> str:
        """The lowest step of the ladder that a part is on."""
        return lowest(self.parts.values())


def verify(folder: Path, remake: Remake) -> list[Verification]:
    """Check a folder that `eval`, `report` or `arena` has written, and the report inside it.

    A file that is missing or was changed is refused.
    """
    places = [folder, folder / "report"]
    found = [place for place in places if (place / RECORD).is_file()] or [folder]
    return [_verify_one(place, remake) for place in found]


def _verify_one(folder: Path, remake: Remake) -> Verification:
    record = read_record(folder)
    refuse_changes(folder, record)
    scores = {name: read_scores(folder / name) for name in record.scores}
    parts = {"experiments": agreement(_experiments(record, scores))}
    if record.made_by == "arena":
        (own,) = scores.values()
        parts["submission"] = agreement(submission_figures(folder, own))
        return Verification(folder, record, parts)

    with TemporaryDirectory() as place:
        remade = _remake(folder, record, Path(place), remake)
        for name in record.tables:
            derived = remade / Path(name).name
            if derived.is_file() and derived.suffix != ".html":
                texts = [(folder / name).read_text("utf-8"), derived.read_text("utf-8")]
                parts[name] = agreement(figures_of(name, *texts))
    left = tuple(name for name in record.files if name not in parts)
    return Verification(folder, record, parts, left, _unknown(folder, record))


def _unknown(folder: Path, record: Record) -> tuple[str, ...]:
    tables = (file.name for file in folder.iterdir() if file.suffix in (".csv", ".md", ".tex"))
    return tuple(sorted(name for name in tables if name not in record.files))


#: What two score files must have in common to be of the same detector on the same trials.
_ALIKE = ("detector_hash", "experiment", "manifest_hash", "clip", "score_rule")


def verify_against(folder: Path, other: Path) -> Verification:
    """Scores of a folder against those of the same work in another one, made on another machine.

    They are equivalent within 1e-4: processors add in another order.
    """
    record = read_record(folder)
    refuse_changes(folder, record)
    refuse_changes(other, read_record(other))
    parts = {}
    for name in record.scores:
        if not (other / name).is_file():
            raise ValueError(f"{other}: has no {name}, which {folder} has")
        stored, derived = read_scores(folder / name), read_scores(other / name)
        figures = _both(name, stored, derived)
        parts[name] = agreement(figures, BETWEEN_MACHINES)
    return Verification(folder, record, parts)


def _both(name: str, stored: Scores, derived: Scores) -> list[DerivedFigure]:
    headers = [
        DerivedFigure(f"{name}, {key}", stored.header.get(key, ""), derived.header.get(key, ""))
        for key in _ALIKE
    ]
    first, second = (
        dict(table.table.select("utt", "score").iter_rows()) for table in (stored, derived)
    )
    return headers + [
        DerivedFigure(f"{name}, {utt}", str(first.get(utt, "")), str(second.get(utt, "")))
        for utt in {**first, **second}
    ]


def _remake(folder: Path, record: Record, place: Path, remake: Remake) -> Path:
    """The tables made again from copies of the score files and of what is beside them."""
    root = (folder / record.root).resolve()
    for name in record.files:
        file = (folder / name).resolve()
        if name in record.scores or (file.suffix == ".json" and name not in record.tables):
            target = place / root.name / file.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    words = [word.replace("@/", f"{folder.resolve()}/") for word in record.words]
    remake(place / root.name, place / "tables", words)
    return place / "tables"


def _experiments(record: Record, scores: dict[str, Scores]) -> list[DerivedFigure]:
    """The digest of each experiment, as the header of the scores has it and as it is."""
    found = []
    for name, table in scores.items():
        text = record.experiments.get(detector_of(table))
        if text is not None and "experiment" in table.header:
            digest = Experiment.from_yaml(text).digest()
            found.append(DerivedFigure(f"{name}, experiment", table.header["experiment"], digest))
    return found
