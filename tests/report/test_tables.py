"""Tables as text, Markdown, LaTeX and CSV."""

import csv
import io

from toy_scores import table

from amsdf.evaluation.matrix import matrix
from amsdf.evaluation.results import ResultSettings
from amsdf.report.table import Table, to_csv, to_latex, to_markdown, to_text
from amsdf.report.tables import details_table, figures_table, matrix_table

TRICKY = Table("T", ("corpus", "a_b"), (("50 % & more", "1 | 2"), ('x, "y"', "–")))


def test_tables_escape_what_their_format_reserves():
    lines = [tuple(line) for line in csv.reader(io.StringIO(to_csv(TRICKY)))]
    assert lines == [TRICKY.header, *TRICKY.rows]
    assert "| 50 % & more | 1 \\| 2 |" in to_markdown(TRICKY)
    assert r"corpus & a\_b \\" in to_latex(TRICKY)
    assert r"50 \% \& more & 1 | 2 \\" in to_latex(TRICKY)
    lines = to_text(TRICKY).splitlines()
    assert lines[0] == "T" and lines[3] == "50 % & more  1 | 2" and lines[4] == 'x, "y"           –'


def test_tables_print_percent_and_keep_precision_for_programs():
    settings = ResultSettings(rounds=0)
    results = matrix([table([1, 2, 3, 4], [-1, 0, 0.5, 2.5])], settings=settings)
    assert matrix_table(results).rows == (("here", "4 + 4", "", "25.00"),)
    (row,) = csv.DictReader(io.StringIO(to_csv(figures_table(results))))
    assert row["eer_percent"] == "25" and row["threshold"] == "1" and row["eer_low_percent"] == ""
    details = details_table(results)
    assert "min t-DCF (2019)" not in details.header and "minDCF" in details.header
