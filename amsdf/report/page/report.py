"""Score tables to one HTML file that works offline, and to CSV, Markdown and LaTeX tables."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from amsdf.detector.inference.scores import CorpusEmbeddings
from amsdf.evaluation.cautions import cautions, worst_parts
from amsdf.evaluation.matrix import Matrix, matrix
from amsdf.evaluation.results import Result
from amsdf.evaluation.systems.comparison import compare_all
from amsdf.evaluation.systems.seed_summary import best_average_vote, seed_groups
from amsdf.files import write_text
from amsdf.report.page.html import (
    Section,
    facts,
    folded,
    html_table,
    page,
    picture,
    section,
    warning_list,
)
from amsdf.report.page.sections import (
    ReportData,
    breakdown_section,
    calibration_section,
    det_section,
    histogram_section,
    map_section,
)
from amsdf.report.pictures.plots import heat_map
from amsdf.report.table import to_csv, to_latex, to_markdown
from amsdf.report.tables import (
    comparison_table,
    details_table,
    errors_table,
    figures_table,
    matrix_table,
    seeds_table,
)
from amsdf.scoring.score_files.table import Scores


def write_report(
    folder: Path,
    scores: Sequence[Scores] | Matrix,
    embeddings: Mapping[str, Sequence[CorpusEmbeddings]] | None = None,
    about: Mapping[str, object] | None = None,
) -> Path:
    """Write `report.html`, `matrix.csv`, `matrix.md` and `matrix.tex` into a folder.

    Args:
        folder: made if need be; older reports in it are replaced.
        scores: the score tables, or the matrix already computed from them.
        embeddings: detector name to embedded corpora, the training corpus first.
        about: what was run, to be printed as it is: command, version, date.

    Returns:
        The path of the HTML file.
    """
    table = scores if isinstance(scores, Matrix) else matrix(scores)
    data = ReportData(table, embeddings or {}, about or {})
    text = _page(data)
    write_text(folder / "matrix.csv", to_csv(figures_table(table)))
    write_text(folder / "matrix.md", to_markdown(matrix_table(table)))
    write_text(folder / "matrix.tex", to_latex(matrix_table(table)))
    write_text(folder / "report.html", text)
    return folder / "report.html"


def _page(data: ReportData) -> str:
    table = data.matrix
    made = [
        _results(table),
        _errors(table),
        _warnings(table),
        _differences(table),
        _seeds(table),
        det_section(data),
        histogram_section(data),
        breakdown_section(data),
        calibration_section(data),
        map_section(data),
        _all_figures(table),
        _what_was_run(data),
    ]
    sections = [part for part in made if part is not None]
    subtitle = f"Detectors: {', '.join(table.detectors)}. Corpora: {', '.join(table.corpora)}."
    return page("How well were fakes told from real speech?", subtitle, sections)


def _results(table: Matrix) -> Section:
    rates = [
        [_rate(table.cells.get((detector, corpus))) for detector in table.detectors]
        for corpus in table.corpora
    ]
    rows = list(table.corpora)
    if table.pooled:
        rows.append("pooled")
        rates.append([_rate(table.pooled[detector]) for detector in table.detectors])
    heat = heat_map(np.array(rates, np.float64), rows, table.detectors)
    return section(
        "Results",
        "The equal error rate (EER) is the share of mistakes when the threshold is set so that as "
        "many real recordings are rejected as fakes are accepted: 0 % is perfect, 50 % is "
        "guessing, above 50 % the detector has it backwards. In brackets, the range in which the "
        "figure is with 95 % confidence, for other clips, speakers or sources of this kind, as the "
        "third column says.",
        html_table(matrix_table(table)),
        "<p></p>",
        picture(heat, "Heat map of the equal error rates in the table above", full=True),
    )


def _rate(result: Result | None) -> float:
    return float("nan") if result is None or result.eer is None else result.eer


def _errors(table: Matrix) -> Section | None:
    if not table.cuts:
        return None
    return section(
        "One threshold",
        "A detector in use has one threshold for all recordings, not the best one of each corpus. "
        "These are its mistakes there: real recordings rejected, fakes accepted.",
        html_table(errors_table(table)),
        *(f"<p>{escape(line)}.</p>" for line in worst_parts(table)),
    )


def _warnings(table: Matrix) -> Section:
    return section(
        "Warnings",
        "What a reader of the tables could misunderstand.",
        warning_list(cautions(table)),
    )


def _differences(table: Matrix) -> Section | None:
    found = (
        compare_all(list(table.scores.values()), table.settings) if table.settings.rounds else []
    )
    if not found:
        return None
    return section(
        "Differences",
        "Does one detector have a lower EER than another, or is it chance? Below 0.05 in the last "
        "column, chance is an unlikely explanation.",
        html_table(comparison_table(found)),
    )


def _seeds(table: Matrix) -> Section | None:
    rated = [table.scores[pair] for pair, cell in table.cells.items() if cell.eer is not None]
    groups = seed_groups(rated)
    if not groups:
        return None
    summaries = [best_average_vote(group, table.settings) for group in groups]
    return section(
        "Seeds",
        "The same recipe trained again from other random starts: the best of them (which flatters, "
        "being chosen on this very set), their average and spread, and their joint vote.",
        html_table(seeds_table(summaries)),
    )


def _all_figures(table: Matrix) -> Section:
    return section(
        "All figures",
        "Lower is better, except for AUC, accuracy and F1. minDCF and actDCF: cost of mistakes at "
        "the best and at the theoretical threshold. Cllr: cost of scores read as log-likelihood "
        "ratios, in bits, as they are and after the detector's calibration, and what would be left "
        "of it after perfect calibration (min Cllr). t-DCF: cost together with a speaker "
        "verification system. Rejected, accepted, accuracy and F1: at the one threshold.",
        html_table(details_table(table)),
    )


def _what_was_run(data: ReportData) -> Section:
    headers = [
        folded(f"{result.detector} on {result.corpus}", facts(scores.header))
        for corpus in data.matrix.corpora
        for result, scores in data.cells(corpus)
    ]
    return section(
        "What was run",
        "Everything above was computed from score files; their headers say how they came to be.",
        facts(data.about) if data.about else "",
        *headers,
    )
