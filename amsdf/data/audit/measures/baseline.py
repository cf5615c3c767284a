"""What listening to nothing gets you: a logistic regression on what can be measured of a clip.

It never meets a word, a voice or a vocoder. If it tells real from fake on clips that it has not
seen, so can a detector, and its EER says little about fakes.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import BaseCrossValidator, GroupKFold, StratifiedKFold

from amsdf.conventions import BONAFIDE
from amsdf.data.audit.measures.shortcuts import MEASURES, WORDS, in_steps
from amsdf.metrics import Resampling, bootstrap, eer

#: With fewer clips of a class there is too little to say.
FEWEST = 10
_FOLDS = 10
#: A format of fewer clips says nothing of others.
_FEWEST_OF_A_WORD = 3
#: What to part clips by, the best first, and how many groups that takes.
_PARTED_BY = {"source": 2, "speaker": 3}
#: Where a measure is near zero, it is the order of magnitude that matters.
_MAGNITUDES = (
    *("duration", "dc_offset", "leading_silence", "trailing_silence"),
    *("zero_gap", "zero_share", "clipped_share"),
)


@dataclass(frozen=True)
class Baseline:
    """The held-out EER of all measures together, and between what it may be by chance."""

    name: str
    num_bonafide: int
    num_spoof: int
    #: What no fold shares with another: source, speaker or clip.
    folds_by: str = "clip"
    #: Empty where there are too few clips.
    eer: float | None = None
    low: float = 0.0
    high: float = 1.0


def fit_baseline(name: str, clips: pl.DataFrame) -> Baseline:
    """The joint baseline of a corpus.

    Args:
        name: What it is called.
        clips: Rows with `label`, the numbers of `ClipMeasures` and, where known, `source` and
            `speaker`.
    """
    clips = clips.drop_nulls(["label", *MEASURES])
    label = clips["label"].to_numpy() == BONAFIDE
    counts = int(label.sum()), int((~label).sum())
    if min(counts) < FEWEST:
        return Baseline(name, *counts)
    folds_by, groups, folds = _folds(clips, label)
    features = _features(clips)
    scores = np.zeros(len(label))
    for train, test in folds:
        mean, deviation = features[train].mean(axis=0), features[train].std(axis=0)
        scaled = np.clip((features - mean) / np.maximum(deviation, 1e-6), -5, 5)
        model = LogisticRegression(C=0.1, class_weight="balanced", solver="newton-cholesky")
        scores[test] = model.fit(scaled[train], label[train]).decision_function(scaled[test])

    real, fake = scores[label], scores[~label]
    by_group = Resampling(groups=(groups[label], groups[~label]))
    # Of a few groups that interval is not known; that by clip is narrower than it should be.
    interval = bootstrap(real, fake, "eer", by_group) or bootstrap(real, fake, "eer")
    low, high = interval or (0.0, 1.0)
    return Baseline(name, *counts, folds_by, eer(real, fake).rate, low, high)


def _features(clips: pl.DataFrame) -> np.ndarray:
    """One row a clip: numbers, their squares (one class may vary less), and words as 0 and 1."""
    columns = []
    for name in MEASURES:
        if name in WORDS:
            words = clips[name].value_counts().filter(pl.col("count") >= _FEWEST_OF_A_WORD)
            columns += [clips[name].to_numpy() == word for word in words[name].sort()]
            continue
        values = in_steps(name, clips[name])
        values = np.log(values + 1) if name in _MAGNITUDES else values
        middle = values - np.median(values)
        columns += [middle, np.abs(middle)]
    return np.stack(columns, axis=1).astype(float)


def _folds(
    clips: pl.DataFrame, label: np.ndarray
) -> tuple[str, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """By what clips are parted, the group of each, and places to fit on and to score.

    Sources are the best to part by; every fold must leave both classes to fit on.
    """
    for column, fewest in _PARTED_BY.items():
        if column not in clips.columns or clips[column].null_count():
            continue
        groups = clips[column].to_numpy()
        num_groups = len(set(groups))
        if num_groups < fewest:
            continue
        by_group: BaseCrossValidator = GroupKFold(min(_FOLDS, num_groups))
        folds = list(by_group.split(label, label, groups))
        if all(0 < label[train].sum() < len(train) for train, _ in folds):
            return column, groups, folds
    shuffled = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    return "clip", np.arange(len(label)), list(shuffled.split(label, label))
