"""Printing results: the matrix, breakdowns, seeds, comparisons; shared by `eval` and `report`."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from amsdf.evaluation.breakdowns import breakdown
from amsdf.evaluation.comparison import compare_all
from amsdf.evaluation.fusion import mean, vote
from amsdf.evaluation.results import Matrix, corpus_of, detector_of, matrix, warnings
from amsdf.evaluation.sasv import sasv
from amsdf.evaluation.seed_summary import best_average_vote, seed_groups
from amsdf.files import write_text
from amsdf.metrics import grid
from amsdf.registry import nearest
from amsdf.report.tables import (
    breakdown_table,
    comparison_table,
    details_table,
    figures_table,
    grid_table,
    matrix_table,
    sasv_table,
    seeds_table,
    to_csv,
    to_text,
)
from amsdf.scoring.keys import DEFAULT_SUBSET, asv_scores, read_asv_table
from amsdf.scoring.score_files import Scores

_FIGURES = {"eer": "EER (%)", "min_tdcf": "min t-DCF (2021 form)"}


def asv_tables(scores: Sequence[Scores], args: Namespace) -> dict[str, pl.DataFrame]:
    """Corpus to its ASV trials, of `--asv FILE` for the only corpus or `--asv CORPUS=FILE`."""
    files = _by_corpus("--asv", args.asv, [corpus_of(table) for table in scores])
    keys = _by_corpus("--asv-key", args.asv_key, list(files))
    asked = getattr(args, "subset", None)
    return {
        corpus: read_asv_table(path, keys.get(corpus), asked or _subset(corpus))
        for corpus, path in files.items()
    }


def _by_corpus(flag: str, words: Sequence[str], corpora: Sequence[str]) -> dict[str, Path]:
    corpora = list(dict.fromkeys(corpora))
    known = ", ".join(corpora)
    found = {}
    for word in words:
        name, equals, path = word.rpartition("=")
        if not corpora:
            raise ValueError(f"{flag} {word}: belongs to ASV scores; give them with --asv")
        if not equals and len(corpora) > 1:
            raise ValueError(f"{flag} {word}: say which corpus, CORPUS=FILE; {known}")
        if equals and name not in corpora:
            raise ValueError(f"{flag} {word}: no scores of {name!r}; there are {known}")
        found[name if equals else corpora[0]] = Path(path)
    return found


def _subset(corpus: str) -> str:
    """The part of the ASV trials that goes with a part of the 2021 corpora."""
    split = corpus.partition("/")[2]
    return split if split in ("progress", "hidden", "all") else DEFAULT_SUBSET


def results_of(
    scores: Sequence[Scores], args: Namespace, thresholds: Mapping[str, float] | None = None
) -> Matrix:
    """The matrix, with ASV scores and a fused detector where the flags ask for them."""
    if args.fuse:
        scores = [*scores, *_fused(scores, args.fuse)]
    voices = {corpus: asv_scores(table) for corpus, table in asv_tables(scores, args).items()}
    return matrix(scores, asv=voices, thresholds=thresholds)


def _fused(scores: Sequence[Scores], how: str) -> list[Scores]:
    """One more detector a corpus: all detectors together, joined by id."""
    corpora: dict[str, list[Scores]] = {}
    for table in scores:
        corpora.setdefault(corpus_of(table), []).append(table)
    fuse = vote if how == "vote" else mean
    return [fuse(tables) for tables in corpora.values() if len(tables) > 1]


def show(results: Matrix, out: Path, args: Namespace) -> None:
    """Print the tables, and keep all figures as CSV."""
    print(to_text(matrix_table(results)))
    if any(cell.min_tdcf_2019 is not None for cell in results.cells.values()):
        print("\n" + to_text(details_table(results)))
    write_text(out / "matrix.csv", to_csv(figures_table(results)))
    tandem = [(*pair, found) for pair, table in results.scores.items() if (found := sasv(table))]
    if tandem:
        print("\n" + to_text(sasv_table(tandem)))
    tables = list(results.scores.values())
    for column in args.by:
        for scores in _with_columns(f"--by {column}", tables, [column]):
            print(f"\n{detector_of(scores)} on {corpus_of(scores)}, by {column}")
            print(to_text(breakdown_table(breakdown(scores, column), column)))
    if args.grid:
        _show_grids(tables, out, args)
    _show_seeds(results)
    if args.compare:
        table = comparison_table(compare_all(tables))
        print("\n" + to_text(table) if table.rows else "# --compare: no corpus has two detectors")
    for line in warnings(results):
        print(f"warning: {line}")


def _with_columns(flag: str, tables: Sequence[Scores], columns: Sequence[str]) -> list[Scores]:
    """The tables that have all these columns; an error where none has."""
    found = [table for table in tables if set(columns) <= set(table.table.columns)]
    if found:
        return found
    known = sorted({name for table in tables for name in table.table.columns[3:]})
    for absent in (name for name in columns if name not in known):
        raise ValueError(
            f"{flag}: no scores have a column {absent!r}.{nearest(absent, known)} "
            f"There are: {', '.join(known) or 'only utt, score and label'}"
        )
    raise ValueError(f"{flag}: no scores have all of these columns, only some of them")


def _show_grids(tables: Sequence[Scores], out: Path, args: Namespace) -> None:
    """EER and, with ASV scores, min t-DCF of every attack with every codec, or any two columns."""
    rows, _, columns = args.grid.partition(",")
    if not rows or not columns:
        raise ValueError(f"--grid {args.grid}: two columns are needed, such as attack,codec")
    voices = asv_tables(tables, args)
    for scores in _with_columns(f"--grid {args.grid}", tables, [rows, columns]):
        asv = voices.get(corpus_of(scores))
        known = asv is None or {rows, columns} <= set(asv.columns)
        cells = grid(scores.table, asv if known else None, rows, columns)
        for figure in ("eer", "min_tdcf") if asv is not None and known else ("eer",):
            title = f"{detector_of(scores)} on {corpus_of(scores)}, {_FIGURES[figure]}"
            print("\n" + to_text(grid_table(cells, rows, columns, figure, title)))
        name = f"grid-{detector_of(scores)}-{corpus_of(scores)}.csv".replace("/", "__")
        write_text(out / name, cells.write_csv())


def _show_seeds(results: Matrix) -> None:
    """Best, average and vote, where several seeds have an EER; no reason to lose other tables."""
    rated = [results.scores[pair] for pair, cell in results.cells.items() if cell.eer is not None]
    try:
        summaries = [best_average_vote(group) for group in seed_groups(rated)]
    except ValueError as error:
        print(f"# no table over seeds: {error}")
        return
    if summaries:
        print("\n" + to_text(seeds_table(summaries)))
