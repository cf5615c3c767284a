"""Whole utterances: padding is honoured from the batch to the score file."""

import pytest
from command_line import toy_detector
from toys import TOY, tone, write_wav

from amsdf.config import Experiment, merge
from amsdf.data.manifest import read_manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.scoring.score_files.table import read_scores
from amsdf.scoring.scorer import score_all

VIEWS = {
    "pool-linear": {"views": {"text": None}, "clip": {"samples": None}},
    "graph-fusion": {
        "views": {"audio": {**TOY["views"]["text"], "hidden": 24}},
        "head": {"name": "graph-fusion"},
        "clip": {"samples": None},
    },
}


@pytest.mark.parametrize("head", VIEWS)
def test_a_whole_utterance_scores_the_same_beside_any_other(tmp_path, head):
    """Trap: mask lost before pooling. Alone, beside a few, and beside a much longer one."""
    toy_detector(tmp_path / "detector", **VIEWS[head])
    detector = Detector.from_pretrained(tmp_path / "detector")
    assert detector.experiment == Experiment.parse(merge(TOY, VIEWS[head]))
    lengths = [0.02, 0.3, 0.31, 0.5, 1.0, 2.5]
    for index, seconds in enumerate(lengths):
        write_wav(tmp_path / f"clips/{index}.wav", tone(90 + 20 * index, seconds, seed=index))
    manifest = read_manifest(tmp_path / "clips", labelled=False)

    def scores(batch_size):
        settings = ScoreSettings(batch_size, progress=False)
        folder = tmp_path / f"scores-{batch_size}"
        (outcome,) = score_all(("d", detector), [manifest], folder, settings)
        return read_scores(outcome.path).table

    alone = scores(1)
    assert len(alone) == len(lengths) and alone["score"].n_unique() == len(lengths)
    for batch_size in (2, 6):
        difference = (scores(batch_size)["score"] - alone["score"]).abs().max()
        assert difference < 1e-5, f"{head}, batches of {batch_size}: {difference}"
