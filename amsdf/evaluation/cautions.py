"""What a reader of the results could misread, in words."""

from collections.abc import Iterator, Sequence

from amsdf.evaluation.matrix import Matrix
from amsdf.evaluation.results import Result
from amsdf.metrics.intervals import LEAST_CLIPS

_CLASSES = {"frr": ("real speech", "rejected"), "far": ("fakes", "accepted")}


def _coverage(table: Matrix, corpus: str) -> Iterator[str]:
    """Scores of a part of the trials must not pass for scores of all of them."""
    sizes = {}
    for detector in table.detectors:
        if (detector, corpus) not in table.cells:
            continue
        scores = table.scores[detector, corpus]
        sizes[detector] = len(scores)
        listed = scores.header.get("listed", str(len(scores)))
        if listed != str(len(scores)):
            yield f"{detector} on {corpus}: {len(scores)} of {listed} listed trials have a score."
    if len(set(sizes.values())) > 1:
        counts = ", ".join(f"{detector} {size}" for detector, size in sizes.items())
        yield f"{corpus}: the detectors were scored on different numbers of trials: {counts}."


def _cautions_of(cell: Result) -> Iterator[str]:
    where = f"{cell.detector} on {cell.corpus}"
    if cell.inverted:
        yield (
            f"{where}: EER {100 * (cell.eer or 0):.2f} %, worse than guessing. Fakes score higher "
            "than real recordings; the scores are shown as they are. Check the polarity."
        )
    if cell.eer is None and cell.num_bonafide + cell.num_spoof:
        only = "bona fide" if cell.num_bonafide else "spoof"
        yield f"{cell.corpus}: only {only} trials, so there is no EER."
    if cell.num_unlabelled:
        yield f"{where}: {cell.num_unlabelled} trials have no label and are left out."
    together = cell.value("eer_collapsed") or 0
    if cell.num_ties and abs((cell.eer or 0) - together) > 0.001:
        yield (
            f"{where}: equal scores; the official EER counts them against the detector "
            f"(deciding equals together: {100 * together:.2f} %)."
        )


def cautions(table: Matrix) -> list[str]:
    """One line for each cell that a reader could misread, and for what is not pooled."""
    lines = [line for corpus in table.corpora for line in _coverage(table, corpus)]
    if table.left_out:
        lines.append(
            f"{', '.join(table.left_out)}: left out of pooled and mean figures, because a detector "
            "has seen something of them (--pool-all takes them in)."
        )
    for cell in [*table.cells.values(), *table.pooled.values()]:
        lines += _cautions_of(cell)
    return list(dict.fromkeys(lines))


def worst_parts(table: Matrix) -> list[str]:
    """Per detector, the corpus and class with most errors at its one threshold."""
    lines = []
    for detector, cut in table.cuts.items():
        cells = [cell for cell in table.cells.values() if cell.detector == detector]
        worst = worst_errors([(cell.corpus, cell) for cell in cells])
        if worst:
            lines.append(f"{detector}, at one threshold (of {cut.origin}): worst on {worst}")
    return lines


def worst_errors(results: Sequence[tuple[str, Result]]) -> str:
    """The named result and the class with most errors at one threshold, in words.

    Nothing where there is no choice, and of classes with too few clips.
    """
    rates = [
        (found.value, name, words)
        for name, result in results
        for figure, words in _CLASSES.items()
        if (found := result.figures.get(figure)) and _trials(result, figure) >= LEAST_CLIPS
    ]
    if len({name for _, name, _ in rates}) < 2:
        return ""
    rate, name, (which, what) = max(rates)
    return f"{name}, {100 * rate:.2f} % of the {which} {what}"


def _trials(result: Result, figure: str) -> int:
    return result.num_bonafide if figure == "frr" else result.num_spoof
