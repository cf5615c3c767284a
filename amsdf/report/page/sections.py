"""The sections of the report that are made of pictures; None where there is nothing to draw."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
import scipy

from amsdf.detector.inference.scores import CorpusEmbeddings
from amsdf.evaluation.breakdowns import DURATION_COLUMNS, BreakdownRow, attacks, breakdown
from amsdf.evaluation.figures import Given
from amsdf.evaluation.matrix import Matrix
from amsdf.evaluation.results import Result
from amsdf.report.page.html import (
    Section,
    folded,
    heading,
    html_table,
    picture,
    pictures,
    section,
)
from amsdf.report.pictures.embedding_maps import embedding_map
from amsdf.report.pictures.histograms import attack_histograms, class_histogram
from amsdf.report.pictures.plots import Bar, bar_chart, det_plot, reliability_plot
from amsdf.report.tables import breakdown_table
from amsdf.scoring.calibration.calibration import Calibration
from amsdf.scoring.score_files.table import Scores, class_scores

#: Columns of score tables that the report breaks down, where they take 2 to `_MOST_VALUES` values.
COLUMNS = (
    *("attack", "vocoder", "codec", "transmission", "compression", "source"),
    *("language", "gender", *sorted(DURATION_COLUMNS)),
)
_MOST_VALUES = 30
#: Pairs of detector and corpus that have pictures of their own; a browser opens no thousands.
MOST_DRAWN = 60


@dataclass(frozen=True)
class ReportData:
    """What a report is made of."""

    matrix: Matrix
    embeddings: Mapping[str, Sequence[CorpusEmbeddings]] = field(default_factory=dict)
    about: Mapping[str, object] = field(default_factory=dict)

    def cells(self, corpus: str) -> Iterator[tuple[Result, Scores]]:
        """Each detector's result on a corpus, and the scores it came from."""
        for detector in self.matrix.detectors:
            pair = detector, corpus
            if pair in self.matrix.cells:
                yield self.matrix.cells[pair], self.matrix.scores[pair]

    def by_corpus(self, draw: Callable[[Result, Scores], list[str]]) -> list[str]:
        """A heading and pictures side by side for each corpus that `draw` finds something in.

        Of many pairs only some are drawn, and a line says so.
        """
        parts = []
        each = self._drawn_each()
        for corpus in self.matrix.corpora:
            cells = list(self.cells(corpus))[:each]
            made = [item for cell in cells for item in draw(*cell)]
            parts += [heading(corpus), pictures(made)] if made else []
        return [self._left_out(each), *parts] if parts else []

    def _drawn_each(self) -> int:
        """How many detectors are drawn of each corpus: all, or the first ones."""
        if len(self.matrix.cells) <= MOST_DRAWN:
            return len(self.matrix.detectors)
        return max(1, MOST_DRAWN // len(self.matrix.corpora))

    def _left_out(self, each: int) -> str:
        if each >= len(self.matrix.detectors):
            return ""
        return (
            f"<p>Drawn of each corpus: {each} of {len(self.matrix.detectors)} detectors, the first "
            "ones of the tables. For pictures of others, give <code>amsdf report</code> their "
            "folders alone.</p>"
        )


def det_section(data: ReportData) -> Section | None:
    """A DET plot for each corpus, with all detectors in it."""
    made = []
    for corpus in data.matrix.corpora:
        cells = data.cells(corpus)
        systems = {r.detector: class_scores(scores) for r, scores in cells if r.eer is not None}
        if systems:
            text = f"DET curves of {', '.join(systems)} on {corpus}"
            made.append(picture(det_plot(systems, corpus), text))
    if not made:
        return None
    return section(
        "Trade-off",
        "Each curve goes through all possible thresholds (DET curve, on probit axes): a stricter "
        "detector accepts fewer fakes and rejects more real recordings. Nearer to the lower left "
        "corner is better; the dot is the EER.",
        pictures(made),
    )


def histogram_section(data: ReportData) -> Section | None:
    """Score histograms by class and by attack."""
    made = data.by_corpus(_histograms)
    if not made:
        return None
    return section(
        "Scores",
        "How the scores of real recordings and of fakes are spread: the less the two colours "
        "overlap, the fewer mistakes any threshold makes.",
        *made,
    )


def _histograms(result: Result, scores: Scores) -> list[str]:
    title = f"{result.detector} on {result.corpus}"
    real, fake = class_scores(scores)
    if not len(real) and not len(fake):
        return []
    drawn = class_histogram(real, fake, result.detector, result.threshold)
    made = picture(drawn, f"Histogram of the scores of {title}")
    groups = dict(list(attacks(scores).items())[:_MOST_VALUES])
    if len(groups) > 1:
        drawn = attack_histograms(groups, real, f"{result.detector}, by attack", result.threshold)
        made += picture(drawn, f"Histograms of the scores of {title}, by attack")
    return [f"<div>{made}</div>"]


def breakdown_section(data: ReportData) -> Section | None:
    """Bars of the EER for the values of each known column."""
    settings, cuts = data.matrix.settings, data.matrix.cuts

    def draw(result: Result, scores: Scores) -> list[str]:
        given = Given(cut=cuts.get(result.detector))
        columns = [column for column in COLUMNS if column in scores.table.columns]
        if result.eer is None:
            return []
        return [
            item
            for column in columns
            if column in DURATION_COLUMNS or _few(scores.table[column])
            for item in _bars(result, breakdown(scores, column, given, settings), column)
        ]

    made = data.by_corpus(draw)
    if not made:
        return None
    return section(
        "Easy and hard",
        "The EER of parts of a corpus. Every attack (a way of making fakes) is set against all "
        "real recordings; other parts take both classes. Thin lines are 95 % intervals: where "
        "they overlap widely, a difference means little.",
        *made,
    )


def _few(values: pl.Series) -> bool:
    return 2 <= values.drop_nulls().n_unique() <= _MOST_VALUES


def _bars(result: Result, parts: Sequence[BreakdownRow], column: str) -> list[str]:
    rated = [part for part in parts if part.result.eer is not None]
    if len(rated) < 2:
        return []
    if column not in DURATION_COLUMNS:
        rated = sorted(rated, key=lambda part: part.result.eer or 0, reverse=True)
    bars = [Bar(part.value, *part.result.figures["eer"]) for part in rated]
    drawn = picture(
        bar_chart(bars, f"{result.detector}, by {column}"),
        f"EER of {result.detector} on {result.corpus}, by {column}",
    )
    table = html_table(breakdown_table(parts, column))
    return [f"<div>{drawn}{folded('as a table', table)}</div>"]


def calibration_section(data: ReportData) -> Section | None:
    """Reliability curves: with the calibration of the detector, or of its raw scores."""

    def draw(result: Result, scores: Scores) -> list[str]:
        return _reliability(result, scores, data.matrix.calibrations.get(result.detector))

    made = data.by_corpus(draw)
    if not made:
        return None
    return section(
        "Calibration",
        "Can the probabilities be believed? Of all recordings that the detector calls 80 % likely "
        "to be real, 80 % should be real: then the curve follows the dotted line. Both classes "
        "count alike, however many recordings they have. Where no calibration is stored, the raw "
        "score is read as a log-likelihood ratio.",
        *made,
    )


def _reliability(result: Result, scores: Scores, calibration: Calibration | None) -> list[str]:
    if result.eer is None:
        return []
    labelled = scores.table.drop_nulls("label")
    values, labels = labelled["score"].to_numpy(), labelled["label"].to_numpy()
    stated = calibration.to_probability(values) if calibration else scipy.special.expit(values)
    where = "this set" if result.calibrated_on else "dev"
    how = f"{calibration.method}, fitted on {where}" if calibration else "raw scores"
    prior = calibration.prior if calibration else 0.5
    drawn = reliability_plot(stated, labels, f"{result.detector} ({how})", prior)
    return [picture(drawn, f"Calibration of {result.detector} on {result.corpus}, {how}")]


def map_section(data: ReportData) -> Section | None:
    """Embedding maps of the training corpus against each other one."""
    made = [
        heading(f"{detector}: {corpora[0].corpus} against {other.corpus}")
        + picture(
            embedding_map(corpora[0], other),
            f"Embeddings of {detector}, {corpora[0].corpus} against {other.corpus}",
            full=True,
        )
        for detector, corpora in data.embeddings.items()
        for other in corpora[1:]
    ]
    if not made:
        return None
    return section(
        "Maps",
        "How the detector sees the recordings: marks that are close look alike to it. A corpus in "
        "the same place as the training corpus is familiar; one in another place is not, and its "
        "scores deserve less trust. t-SNE shows neighbours well and distances badly.",
        *made,
    )
