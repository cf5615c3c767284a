"""A table of words, and how it is written: text, CSV, Markdown, LaTeX."""

import csv
import io
from dataclasses import dataclass

MISSING = "–"
_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "±": r"$\pm$",
}


@dataclass(frozen=True)
class Table:
    """Words in rows; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    #: What the marks in it mean.
    notes: tuple[str, ...] = ()


def percent(rate: float | None, low: float | None = None, high: float | None = None) -> str:
    """`12.34 [10.10, 14.81]` for fractions, with as much of it as there is."""
    if rate is None:
        return MISSING
    interval = "" if low is None or high is None else f" [{100 * low:.2f}, {100 * high:.2f}]"
    return f"{100 * rate:.2f}{interval}"


def number(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """As `percent`, for costs: four decimals."""
    if value is None:
        return MISSING
    interval = "" if low is None or high is None else f" [{low:.4f}, {high:.4f}]"
    return f"{value:.4f}{interval}"


def score_text(score: float) -> str:
    """A score with three decimals; a huge one with its power of ten."""
    return f"{score:.3f}" if abs(score) < 1e6 else f"{score:.3g}"


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
    return "\n".join([table.title, texts[0], rule, *texts[1:], *table.notes]) + "\n"


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
