"""Bundles for the Speech Anti-Spoofing Arena: made by the command, read as a stranger does."""

from pathlib import Path

import polars as pl
import pytest
from command_line import SMALL, Done, amsdf, toy_detector
from toys import toy_corpus

SCORES_URL = "https://huggingface.co/me/mine/resolve/0123abc/scores.txt"
SAID = (
    *("--code", "https://github.com/me/mine", "--checkpoint", "https://huggingface.co/me/mine"),
    *("--arxiv", "2110.01200", "--dataset", "me/toy", "--revision", "1234567"),
    *("--scores-url", SCORES_URL, "--hf-user", "me", "--contact", "me@example.com"),
)


def arena(capsys: pytest.CaptureFixture[str], *words: str) -> Done:
    """Run `amsdf arena` without progress bars."""
    return amsdf(capsys, "arena", *words, "--quiet")


def arena_eer(scores: dict[str, float], labels: dict[str, int]) -> float:
    """EER in percent, walking every threshold with exact counts; 1 = bona fide."""
    real = [scores[utt] for utt, label in labels.items() if label == 1]
    fake = [scores[utt] for utt, label in labels.items() if label == 0]
    before = (1.0, 0.0)
    for threshold in sorted({*real, *fake}):
        far = sum(score >= threshold for score in fake) / len(fake)
        frr = sum(score < threshold for score in real) / len(real)
        if far <= frr:
            share = (before[0] - before[1]) / (before[0] - before[1] - far + frr)
            return 100 * (before[1] + share * (frr - before[1]))
        before = (far, frr)
    return 100 * (before[0] + before[1]) / 2


def read_bundle(folder: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Scores as a stranger reads them: two words a line; and the labels of the score file."""
    lines = (folder / "scores.txt").read_text("utf-8").splitlines()
    scores = {utt: float(score) for utt, score in (line.split() for line in lines)}
    table = pl.read_csv(
        next(path for path in folder.glob("*.tsv") if path.name != "failed.tsv"),
        separator="\t",
        comment_prefix="# amsdf",
        infer_schema=False,
    )
    return scores, dict(zip(table["utt"], table["label"] == "bonafide", strict=True))


def detector_and_corpus(folder: Path) -> Path:
    """A detector that was trained on toy/train and chosen on toy/dev, and the corpus."""
    toy_detector(folder / "mine", **SMALL)
    toy_corpus(folder / "toy", clips=4)
    return folder
