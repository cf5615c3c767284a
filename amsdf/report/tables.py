"""Results as tables, and tables as text, CSV, Markdown and LaTeX. Here rates become percent."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import polars as pl

from amsdf.evaluation.comparison import Comparison
from amsdf.evaluation.results import Matrix, Result
from amsdf.evaluation.sasv import Sasv
from amsdf.evaluation.seed_summary import SeedSummary

MISSING = "–"
_RATES = frozenset(("eer", "eer_low", "eer_high", "eer_collapsed", "frr_at_dev", "far_at_dev"))
_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "±": r"$\pm$",
}
_DETAILS = (
    ("min_dcf", "minDCF"),
    ("act_dcf", "actDCF"),
    ("cllr", "Cllr"),
    ("min_cllr", "min Cllr"),
    ("min_tdcf_2019", "min t-DCF (2019)"),
    ("min_tdcf_2021", "min t-DCF (2021)"),
)


@dataclass(frozen=True)
class Table:
    """Words in rows; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(rate: float | None, low: float | None = None, high: float | None = None) -> str:
    """`12.3 [10.1, 14.8]` for fractions, with as much of it as there is; two decimals below 10."""
    if rate is None:
        return MISSING
    digits = 2 if rate < 0.1 else 1
    interval = (
        "" if low is None or high is None else f" [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"
    )
    return f"{100 * rate:.{digits}f}{interval}"


def eer_text(result: Result) -> str:
    """The EER of a result with its interval; `!` marks a detector that is inverted.

    With one class only, the mistakes at the threshold chosen on dev, if there is one.
    """
    if result.eer is not None:
        mark = " !" if result.inverted else ""
        return percent(result.eer, result.eer_low, result.eer_high) + mark
    if result.frr_at_dev is not None:
        return f"{percent(result.frr_at_dev)} rejected"
    if result.far_at_dev is not None:
        return f"{percent(result.far_at_dev)} accepted"
    return MISSING


def matrix_table(matrix: Matrix) -> Table:
    """EER in percent: a row for each corpus, a column for each detector, pooled and macro below."""
    rows = []
    for corpus in matrix.corpora:
        cells = [matrix.cells.get((detector, corpus)) for detector in matrix.detectors]
        texts = [eer_text(cell) if cell else MISSING for cell in cells]
        rows.append((corpus, _sizes([cell for cell in cells if cell is not None]), *texts))
    if matrix.pooled:
        pooled = [eer_text(matrix.pooled[detector]) for detector in matrix.detectors]
        rows.append((_over("pooled", matrix), _sizes(list(matrix.pooled.values())), *pooled))
    if matrix.macro:
        means = [percent(matrix.macro.get(detector)) for detector in matrix.detectors]
        rows.append((_over("mean of corpora", matrix), "", *means))
    header = ("corpus", "real + fake", *matrix.detectors)
    return Table("Equal error rate (%) with 95 % interval", header, tuple(rows))


def _sizes(cells: Sequence[Result]) -> str:
    """Real and fake trials, as a range where the detectors were scored on different ones."""
    real, fake = [cell.num_bonafide for cell in cells], [cell.num_spoof for cell in cells]
    return " + ".join(
        str(most) if least == most else f"{least}–{most}"
        for least, most in ((min(real), max(real)), (min(fake), max(fake)))
    )


def _over(what: str, matrix: Matrix) -> str:
    every = len(matrix.shared) == len(matrix.corpora)
    return what if every else f"{what} ({', '.join(matrix.shared)})"


def details_table(matrix: Matrix) -> Table:
    """One row for each detector and corpus with every figure that at least one of them has."""
    results = [*matrix.cells.values(), *matrix.pooled.values()]
    shown = [
        (key, name) for key, name in _DETAILS if any(getattr(r, key) is not None for r in results)
    ]
    at_dev = any(r.frr_at_dev is not None or r.far_at_dev is not None for r in results)
    header = ["detector", "corpus", "real", "fake", "mean score", "EER (%)", "EER, ties together"]
    header += ["AUC (%)", *(name for _, name in shown)]
    header += ["real rejected at dev threshold (%)", "fake accepted (%)"] if at_dev else []
    rows = []
    for r in results:
        row = [r.detector, r.corpus, str(r.num_bonafide), str(r.num_spoof), f"{r.mean_score:.3f}"]
        row += [eer_text(r), percent(r.eer_collapsed), percent(r.auc)]
        row += [_number(getattr(r, key)) for key, _ in shown]
        row += [percent(r.frr_at_dev), percent(r.far_at_dev)] if at_dev else []
        rows.append(tuple(row))
    return Table("All figures", tuple(header), tuple(rows))


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4f}"


def figures_table(matrix: Matrix) -> Table:
    """Every figure at full precision, one row a cell, for other programs; rates are percent."""
    names = [item.name for item in fields(Result)]
    rows = [
        tuple(_exact(name, getattr(result, name)) for name in names)
        for result in (*matrix.cells.values(), *matrix.pooled.values())
    ]
    header = tuple(f"{name}_percent" if name in _RATES else name for name in names)
    return Table("All figures", header, tuple(rows))


def _exact(name: str, value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{100 * value if name in _RATES else value:.10g}"


def breakdown_table(rows: pl.DataFrame, column: str) -> Table:
    """The rows of `amsdf.evaluation.breakdowns.breakdown`."""
    texts = [
        (
            row["value"],
            str(row["num_bonafide"]),
            str(row["num_spoof"]),
            f"{row['mean_score']:.3f}",
            percent(row["eer"], row["eer_low"], row["eer_high"]),
        )
        for row in rows.iter_rows(named=True)
    ]
    return Table(f"By {column}", (column, "real", "fake", "mean score", "EER (%)"), tuple(texts))


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
        eers = map(percent, figures.eers or (None, None, None))
        costs = (_number(figures.a_dcf), *eers, _number(figures.min_tdcf), percent(figures.t_eer))
        rows.append((f"{detector} on {corpus}", *costs))
    names = ("a-DCF", "SASV-EER (%)", "SV-EER (%)", "SPF-EER (%)", "min t-DCF", "t-EER (%)")
    return Table("Spoofing-aware speaker verification", ("scores", *names), tuple(rows))


def _cell(figure: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return MISSING
    return percent(value) if figure in _RATES else _number(value)


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


def to_text(table: Table) -> str:
    """Aligned columns for a terminal; the first to the left, the others to the right."""
    lines = [table.header, *table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.header))]
    texts = [
        "  ".join(
            word.ljust(width) if place == 0 else word.rjust(width)
            for place, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    rule = "-" * max(map(len, texts))
    return "\n".join([table.title, texts[0], rule, *texts[1:]]) + "\n"


def to_csv(table: Table) -> str:
    """Comma-separated, quoted where needed."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([table.header, *table.rows])
    return stream.getvalue()


def to_markdown(table: Table) -> str:
    """A pipe table."""
    lines = [table.header, ("---", *["---:"] * (len(table.header) - 1)), *table.rows]
    escaped = [[word.replace("\\", "\\\\").replace("|", "\\|") for word in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped) + "\n"


def to_latex(table: Table) -> str:
    """A `tabular` that needs no package."""
    lines = [" & ".join(_latex(word) for word in line) + r" \\" for line in table.rows]
    head = " & ".join(_latex(word) for word in table.header) + r" \\"
    columns = "l" + "r" * (len(table.header) - 1)
    begin, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
    return "\n".join([begin, r"\hline", head, r"\hline", *lines, r"\hline", end]) + "\n"


def _latex(word: str) -> str:
    return "".join(_LATEX.get(character, character) for character in word)


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Differences between detectors, in percentage points."""
    rows = []
    for found in comparisons:
        difference, low, high = (
            f"{100 * value:+.2f}"
            for value in (found.test.difference, found.test.low, found.test.high)
        )
        rows.append(
            (
                found.corpus,
                " - ".join(found.detectors),
                f"{difference} [{low}, {high}]",
                f"{found.test.p_value:.3f}",
            )
        )
    header = ("corpus", "detectors", "difference", "p")
    return Table(
        "Differences of the EER (percentage points), paired bootstrap", header, tuple(rows)
    )
