"""Results as tables of words. Here rates become percent."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields

import polars as pl

from amsdf.evaluation.breakdowns import BreakdownRow
from amsdf.evaluation.cautions import worst_errors
from amsdf.evaluation.figures import FIGURES, known_figures
from amsdf.evaluation.matrix import Matrix
from amsdf.evaluation.results import Result
from amsdf.evaluation.speaker_verification.sasv import Sasv
from amsdf.evaluation.systems.comparison import Comparison
from amsdf.evaluation.systems.seed_summary import SeedSummary
from amsdf.report.table import MISSING, Table, number, percent, score_text

_RATES = frozenset(("eer",))
#: What a detector has seen of a corpus -> the mark of its figure, and its meaning.
MARKS = {
    "seen": ("*", "the detector was trained or chosen on these very clips"),
    "same speakers": ("†", "some of the speakers are in its training or dev sets"),
    "same corpus": ("‡", "another part of this corpus is in its training or dev sets"),
}
CALIBRATED_ON = "§", "its calibration was fitted on this set: no error rates at the dev threshold"
INVERTED = "!", "fakes score higher than real speech"


def figure_text(result: Result, name: str) -> str:
    """A figure of a result with its interval."""
    found = result.figures.get(name)
    if found is None:
        return MISSING
    return percent(*found) if FIGURES[name].percent else number(*found)


def heading(name: str) -> str:
    """The heading of a figure, with its unit."""
    figure = FIGURES[name]
    return f"{figure.name} (%)" if figure.percent else figure.name


def eer_text(result: Result) -> str:
    """The EER of a result with its interval, and the marks that `notes_of` explains.

    With one class only, the mistakes at the one threshold of the detector, if there is one.
    """
    if result.eer is not None:
        text = figure_text(result, "eer")
    elif "frr" in result.figures:
        text = f"{figure_text(result, 'frr')} rejected"
    elif "far" in result.figures:
        text = f"{figure_text(result, 'far')} accepted"
    else:
        return MISSING
    return " ".join([text, *(mark for mark, _ in _marks(result))])


def _marks(result: Result) -> list[tuple[str, str]]:
    found = [MARKS[result.overlap]] if result.overlap in MARKS else []
    found += [CALIBRATED_ON] if result.calibrated_on else []
    return found + ([INVERTED] if result.inverted else [])


def notes_of(results: Iterable[Result]) -> tuple[str, ...]:
    """What the marks of these results mean, each once."""
    found = dict(mark for result in results for mark in _marks(result))
    return tuple(f"{mark} {meaning}" for mark, meaning in found.items())


def matrix_table(matrix: Matrix) -> Table:
    """EER in percent: a row for each corpus, a column for each detector, pooled and macro below."""
    rows = []
    for corpus in matrix.corpora:
        cells = [matrix.cells.get((detector, corpus)) for detector in matrix.detectors]
        texts = [eer_text(cell) if cell else MISSING for cell in cells]
        rows.append((corpus, *_about([cell for cell in cells if cell is not None]), *texts))
    if matrix.pooled:
        pooled = list(matrix.pooled.values())
        rows.append((_over("pooled", matrix), *_about(pooled), *map(eer_text, pooled)))
    if matrix.macro:
        means = [percent(*matrix.macro.get(detector, (None,))) for detector in matrix.detectors]
        rows.append((_over("mean", matrix), "", "", *means))
    header = ("corpus", "real + fake", "intervals", *matrix.detectors)
    notes = notes_of(matrix.cells.values())
    missing = [corpus for corpus in matrix.corpora if corpus not in matrix.shared]
    if missing and (matrix.pooled or matrix.macro):
        notes += (f"pooled and mean: without {', '.join(missing)}",)
    return Table("Equal error rate (%) with 95 % interval", header, tuple(rows), notes)


def _about(cells: Sequence[Result]) -> tuple[str, str]:
    """Real and fake trials, and what was drawn for the intervals, as far as the cells agree."""
    real, fake = [cell.num_bonafide for cell in cells], [cell.num_spoof for cell in cells]
    sizes = " + ".join(
        str(most) if least == most else f"{least}–{most}"
        for least, most in ((min(real), max(real)), (min(fake), max(fake)))
    )
    return sizes, "; ".join(dict.fromkeys(cell.unit for cell in cells if cell.unit))


def _over(what: str, matrix: Matrix) -> str:
    shared, every = len(matrix.shared), len(matrix.corpora)
    return what if shared == every else f"{what} ({shared} of {every})"


def errors_table(matrix: Matrix) -> Table:
    """Errors of each corpus at the one threshold of each detector, in percent."""
    rows = []
    for corpus in matrix.corpora:
        cells = [matrix.cells.get((detector, corpus)) for detector in matrix.detectors]
        texts = [
            figure_text(cell, name) if cell else MISSING
            for cell in cells
            for name in ("frr", "far")
        ]
        rows.append((corpus, *texts))
    names = [
        f"{detector}: {words}"
        for detector in matrix.detectors
        for words in ("real rejected", "fake accepted")
    ]
    origins = dict.fromkeys(cut.origin for cut in matrix.cuts.values())
    title = f"Errors (%) at one threshold a detector, chosen on {' or '.join(origins)}"
    calibrated = [cell for cell in matrix.cells.values() if cell.calibrated_on]
    notes = (f"{MISSING} {CALIBRATED_ON[1]}",) if calibrated else ()
    return Table(title, ("corpus", *names), tuple(rows), notes)


def details_table(matrix: Matrix, names: Sequence[str] = ()) -> Table:
    """One row for each detector and corpus with the named figures, or all that one of them has."""
    results = [*matrix.cells.values(), *matrix.pooled.values()]
    wanted = known_figures(names or matrix.settings.figures)
    shown = [name for name in wanted if any(name in result.figures for result in results)]
    if all(r.value("eer_collapsed") == r.eer for r in results):
        shown = [name for name in shown if name != "eer_collapsed"]
    header = ("detector", "corpus", "real", "fake", "intervals", *map(heading, shown))
    rows = [
        (
            *(r.detector, r.corpus, str(r.num_bonafide), str(r.num_spoof), r.unit),
            *(figure_text(r, name) for name in shown),
        )
        for r in results
    ]
    return Table("All figures", header, tuple(rows), notes_of(results))


def figures_table(matrix: Matrix) -> Table:
    """Every figure at full precision, one row a cell, for other programs; rates are percent."""
    results = [*matrix.cells.values(), *matrix.pooled.values()]
    wanted = known_figures(matrix.settings.figures)
    shown = [name for name in wanted if any(name in result.figures for result in results)]
    about = [each.name for each in fields(Result) if each.name != "figures"]
    columns = [
        (f"{name}_percent" if FIGURES[name].percent else name, end)
        for name in shown
        for end in ("", "_low", "_high")
    ]
    header = (*about, *(_column(name, end) for name, end in columns))
    rows = [
        (
            *(_exact(getattr(result, name)) for name in about),
            *(word for name in shown for word in _ends(result, name)),
        )
        for result in results
    ]
    return Table("All figures", header, tuple(rows))


def _column(name: str, end: str) -> str:
    stem, percent_, _ = name.partition("_percent")
    return f"{stem}{end}{percent_}"


def _ends(result: Result, name: str) -> list[str]:
    found = result.figures.get(name) or (None, None, None)
    factor = 100 if FIGURES[name].percent else 1
    return [_exact(None if value is None else factor * value) for value in found]


def _exact(value: str | float | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return value or "" if value is None or isinstance(value, str) else f"{value:.10g}"


def breakdown_table(
    parts: Sequence[BreakdownRow], column: str, names: Sequence[str] = ("eer", "frr", "far")
) -> Table:
    """The parts of `amsdf.evaluation.breakdowns.breakdown`, with the named figures."""
    names = list(dict.fromkeys(["eer", *(n for n in names if n != "eer_collapsed"), "frr", "far"]))
    shown = [n for n in names if n == "eer" or any(n in part.result.figures for part in parts)]
    rows = [
        (
            *(part.value, str(part.result.num_bonafide), str(part.result.num_spoof)),
            *(score_text(part.mean_score), part.result.unit),
            *(figure_text(part.result, name) for name in shown),
        )
        for part in parts
    ]
    header = (column, "real", "fake", "mean score", "intervals", *map(heading, shown))
    cut = next((part.result.cut for part in parts if part.result.cut), "")
    notes = (
        (f"rejected and accepted: at one threshold for all rows, chosen on {cut}",) if cut else ()
    )
    worst = worst_errors([(row.value, row.result) for row in parts])
    title = f"by {column}" + (f"; worst at one threshold: {worst}" if worst else "")
    return Table(title, header, tuple(rows), notes)


def grid_table(cells: pl.DataFrame, rows: str, columns: str, figure: str, title: str) -> Table:
    """One figure of the cells of `amsdf.metrics.grid`, in the order in which they come."""
    names = cells[columns].unique(maintain_order=True).to_list()
    lines = []
    for name in cells[rows].unique(maintain_order=True):
        found = cells.filter(pl.col(rows) == name)
        values = dict(zip(found[columns], found[figure], strict=True))
        lines.append((str(name), *(_cell(figure, values.get(column)) for column in names)))
    return Table(title, (rows, *map(str, names)), tuple(lines))


def sasv_table(results: Sequence[tuple[str, str, Sasv]]) -> Table:
    """Detector, corpus and its figures of spoofing-aware speaker verification."""
    rows = []
    for detector, corpus, figures in results:
        eers = [percent(*rate) for rate in figures.eers or ((None,),) * 3]
        official, own = (
            number(*(each or (None,))) for each in (figures.min_tdcf, figures.min_tdcf_own)
        )
        costs = (number(*(figures.a_dcf or (None,))), *eers, official, own, percent(figures.t_eer))
        rows.append((f"{detector} on {corpus}", *costs))
    names = (
        "a-DCF",
        "SASV-EER (%)",
        "SV-EER (%)",
        "SPF-EER (%)",
        "min t-DCF",
        "min t-DCF, own ASV",
    )
    header = ("scores", *names, "t-EER (%)")
    notes = ("min t-DCF: with the ASV error rates that the organisers of ASVspoof 5 fixed",)
    return Table("Spoofing-aware speaker verification", header, tuple(rows), notes)


def _cell(figure: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return MISSING
    return percent(value) if figure in _RATES else number(value)


def seeds_table(summaries: Sequence[SeedSummary]) -> Table:
    """Best, average and vote over seeds, EER in percent."""
    rows = [
        (
            f"{s.recipe} on {s.corpus}",
            str(len(s.eers)),
            percent(s.best),
            f"{percent(s.average)} ± {percent(s.spread)}",
            eer_text(s.vote),
        )
        for s in summaries
    ]
    header = ("recipe and corpus", "seeds", "best", "average ± spread", "vote")
    return Table("Equal error rate (%) over seeds", header, tuple(rows))


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Differences between detectors, in percentage points."""
    rows = []
    for found in comparisons:
        test, words = found.test, (MISSING, MISSING, MISSING)
        if test is not None:
            difference, low, high = (f"{100 * value:+.2f}" for value in test[:3])
            words = f"{difference} [{low}, {high}]", f"{test.p_value:.3f}", f"{found.corrected:.3f}"
        rows.append((found.corpus, " - ".join(found.detectors), found.unit, *words))
    made = sum(found.test is not None for found in comparisons)
    header = ("corpus", "detectors", "drawn", "difference", "p", "p corrected")
    notes = (f"p corrected: for all {made} tests of this table together (Holm)",)
    title = "Differences of the EER (percentage points), paired tests"
    return Table(title, header, tuple(rows), notes)
