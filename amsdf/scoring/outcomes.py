"""What became of the clips of a scoring run: counted in one line, failures listed with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from amsdf.files import write_atomically

_FAILED = ("corpus", "utt", "path", "reason")


@dataclass(frozen=True)
class Outcome:
    """What became of a manifest: `failed` lists (utt, path, reason)."""

    path: Path
    corpus: str
    listed: int
    scored: int
    failed: list[tuple[str, str, str]]


def summary_of(outcomes: Sequence[Outcome], out: Path) -> tuple[list[str], int]:
    """What was set aside, in words and as an exit status; `out/failed.tsv` lists it.

    Scored and failed clips add up to the listed ones.
    """
    write_failed(out / "failed.tsv", outcomes)
    failed = sum(len(outcome.failed) for outcome in outcomes)
    listed = sum(outcome.listed for outcome in outcomes)
    scored = sum(outcome.scored for outcome in outcomes)
    lines = [f"{scored} scored + {failed} failed = {listed} listed; scores in {out}"]
    if failed:
        lines.append(f"what failed, with reasons: {out / 'failed.tsv'}")
    return lines, 1 if failed else 0


def write_failed(path: Path, outcomes: Sequence[Outcome]) -> None:
    """All clips set aside, with reasons; removed when there are none.

    What an earlier run listed of other corpora stays.
    """
    rows = [(outcome.corpus, *failure) for outcome in outcomes for failure in outcome.failed]
    table = pl.DataFrame(rows, schema=dict.fromkeys(_FAILED, pl.String), orient="row").unique(
        maintain_order=True
    )
    if path.is_file():
        earlier = pl.read_csv(path, separator="\t", infer_schema=False)
        here = [outcome.corpus for outcome in outcomes]
        if earlier.columns == list(_FAILED):
            table = pl.concat([earlier.filter(~pl.col("corpus").is_in(here)), table])
    if not len(table):
        path.unlink(missing_ok=True)
        return
    write_atomically(path, lambda temporary: table.write_csv(temporary, separator="\t"))
