"""Printing results: the matrix, breakdowns, seeds, comparisons; shared by `eval` and `report`."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from amsdf.breakdowns import breakdown
from amsdf.comparison import comparison_table
from amsdf.evaluation import Matrix, corpus_of, detector_of, matrix, warnings
from amsdf.files import write_text
from amsdf.fusion import mean, vote
from amsdf.metrics import AsvScores
from amsdf.score_keys import read_asv_scores
from amsdf.scores import Scores
from amsdf.seeds import best_average_vote, seed_groups
from amsdf.tables import (
    breakdown_table,
    details_table,
    figures_table,
    matrix_table,
    seeds_table,
    to_csv,
    to_text,
)


def asv_scores(
    words: Sequence[str], scores: Sequence[Scores], key: str | None = None
) -> dict[str, AsvScores]:
    """`--asv FILE` for the only corpus, or `--asv CORPUS=FILE`, to the scores of each corpus."""
    corpora = list(dict.fromkeys(corpus_of(table) for table in scores))
    found = {}
    for word in words:
        name, equals, path = word.rpartition("=")
        if not equals and len(corpora) > 1:
            raise ValueError(f"--asv {word}: say which corpus, CORPUS=FILE; {', '.join(corpora)}")
        if equals and name not in corpora:
            raise ValueError(f"--asv {word}: no scores of {name!r}; there are {', '.join(corpora)}")
        corpus = name if equals else corpora[0]
        found[corpus] = read_asv_scores(Path(path), Path(key) if key else None)
    return found


def results_of(
    scores: Sequence[Scores], args: Namespace, thresholds: Mapping[str, float] | None = None
) -> Matrix:
    """The matrix, with ASV scores and a fused detector where the flags ask for them."""
    if args.fuse:
        scores = [*scores, *_fused(scores, args.fuse)]
    voices = asv_scores(args.asv, scores, args.asv_key)
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
    for column in args.by:
        for scores in results.scores.values():
            if column in scores.table.columns or column == "duration":
                print(f"\n{detector_of(scores)} on {corpus_of(scores)}, by {column}")
                print(to_text(breakdown_table(breakdown(scores, column), column)))
    tables = list(results.scores.values())
    if seeds := seed_groups(tables):
        print("\n" + to_text(seeds_table([best_average_vote(group) for group in seeds])))
    if args.compare:
        print("\n" + to_text(comparison_table(tables)))
    for line in warnings(results):
        print(f"warning: {line}")
