"""Several score tables of the same trials made into one: seeds of one recipe, or different systems.

Trials are joined by id, never by row. Vote and mean need nothing; the logistic regression is fitted
on development trials and then applied to any others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy

from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.scoring.calibration.fits import fit_log_odds
from amsdf.scoring.score_files.table import Scores, corpus_of


def aligned_scores(systems: Sequence[Scores]) -> np.ndarray:
    """Scores (T, K) of K systems, in the trial order of the first; refuses different trials."""
    if not systems:
        raise ValueError("nothing to fuse: give the scores of at least one system")
    first = systems[0]
    columns = [first.table["score"].to_numpy()]
    for other in systems[1:]:
        joined = first.table.select("utt", "label").join(
            other.table.select("utt", "score", other_label="label"),
            on="utt",
            how="left",
            maintain_order="left",
        )
        missing = joined.filter(pl.col("score").is_null())["utt"]
        if len(missing) or len(other) != len(first):
            raise ValueError(
                f"{first.name} has {len(first)} trials and {other.name} {len(other)}, "
                f"{len(first) - len(missing)} in common; only scores of the same trials are fused"
            )
        differing = joined.filter(pl.col("label") != pl.col("other_label"))["utt"]
        if len(differing):
            raise ValueError(
                f"{first.name} and {other.name} disagree on the label of {differing[0]!r}; "
                "fuse scores made with the same key"
            )
        columns.append(joined["score"].to_numpy())
    return np.stack(columns, axis=1)


def vote(systems: Sequence[Scores]) -> Scores:
    """The soft vote of AMSDF: every system's score becomes a probability, and these are averaged.

    The result is the log-odds of the mean probability. It ranks as the mean does, but two trials of
    which all systems are sure do not become equal by rounding.
    """
    scores = aligned_scores(systems)
    log_expit, logsumexp = scipy.special.log_expit, scipy.special.logsumexp
    log_odds = logsumexp(log_expit(scores), axis=1) - logsumexp(log_expit(-scores), axis=1)
    return _fused(systems, log_odds, "vote")


def mean(systems: Sequence[Scores]) -> Scores:
    """The mean score; sensible when all systems score on one scale, such as calibrated ones."""
    return _fused(systems, aligned_scores(systems).mean(axis=1), "mean")


@dataclass(frozen=True)
class LogisticFusion:
    """A weighted sum of scores that is a log-likelihood ratio: weights (K,) and offset."""

    weights: tuple[float, ...]
    offset: float

    def apply(self, systems: Sequence[Scores]) -> Scores:
        """Fuse the scores of the K systems, given in the order of the fit."""
        if len(systems) != len(self.weights):
            raise ValueError(
                f"the fusion was fitted on {len(self.weights)} systems; given: {len(systems)}"
            )
        fused = aligned_scores(systems) @ np.array(self.weights) + self.offset
        return _fused(systems, fused, "logistic")


def fit_fusion(systems: Sequence[Scores], prior: float = 0.5) -> LogisticFusion:
    """Logistic regression over systems on development trials of both classes."""
    scores = aligned_scores(systems)
    labels = systems[0].table["label"].to_numpy()
    parts = [scores[labels == label] for label in (BONAFIDE, SPOOF)]
    if not all(map(len, parts)):
        raise ValueError(
            f"{systems[0].name}: {len(parts[0])} bona fide and {len(parts[1])} spoof trials; "
            "fusion is fitted on labelled development trials of both classes"
        )
    centre, spread = scores.mean(axis=0), scores.std(axis=0)
    spread[spread == 0] = 1.0
    standard = (np.concatenate(parts) - centre) / spread
    weights, offset = fit_log_odds(standard, len(parts[0]), prior)
    weights = weights / spread
    return LogisticFusion(tuple(weights.tolist()), float(offset - weights @ centre))


def _fused(systems: Sequence[Scores], scores: np.ndarray, how: str) -> Scores:
    """Keeps the header entries on which all systems agree, such as the corpus."""
    first, *others = (system.header for system in systems)
    shared = {
        key: value
        for key, value in first.items()
        if all(other.get(key) == value for other in others)
    }
    names = list(dict.fromkeys(system.header.get("detector", system.name) for system in systems))
    header = {**shared, "detector": f"{how} of {len(systems)}", "fused": ", ".join(names)}
    return Scores(systems[0].name, systems[0].table.with_columns(score=scores), header)


FUSIONS = {"mean": mean, "vote": vote}
LOGISTIC = "logistic"


def fuse_by_corpus(
    scores: Sequence[Scores], how: str, fitted_on: str | None = None
) -> list[Scores]:
    """One more detector a corpus: all detectors together, joined by id."""
    corpora: dict[str, list[Scores]] = {}
    for table in scores:
        corpora.setdefault(corpus_of(table), []).append(table)
    several = {corpus: tables for corpus, tables in corpora.items() if len(tables) > 1}
    if how != LOGISTIC:
        if fitted_on:
            raise ValueError(f"--fuse-on {fitted_on}: only --fuse {LOGISTIC} is fitted")
        return [FUSIONS[how](tables) for tables in several.values()]
    if fitted_on not in several:
        raise ValueError(
            f"--fuse {LOGISTIC}: is fitted on a corpus that two detectors were scored on, named by "
            f"--fuse-on; given: {fitted_on}, there are: {', '.join(several) or 'none'}"
        )
    fusion = fit_fusion(several.pop(fitted_on))
    return [fusion.apply(tables) for tables in several.values()]
