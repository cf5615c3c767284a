"""`--score-rule published`: the score that the authors of a system report."""

import numpy as np
import pytest
import soundfile
import torch
from command_line import SMALL, amsdf, refused, toy_calibration, toy_detector
from golden_names import close
from toys import toy_corpus

from amsdf import Detector, registry
from amsdf.audio import fit
from amsdf.scoring.score_files.table import read_scores
from amsdf.testing import REPEATED

CROSS_ENTROPY = {**SMALL, "loss": "cross-entropy"}


def test_cross_entropy_gives_the_bona_fide_logit_alone():
    embeddings = torch.randn(5, 8)
    loss = registry.build("losses", "cross-entropy", 8)
    logits = loss.logits(embeddings)
    close(loss.published_score(embeddings), logits[:, 1], REPEATED)
    close(loss.score(embeddings), logits[:, 1] - logits[:, 0])
    parts = [{"name": "oc-softmax"}, {"name": "cross-entropy"}]
    both = registry.build("losses", "weighted-sum", 8, parts=parts, score_with="cross-entropy")
    inner = both.parts[1]
    close(both.published_score(embeddings), inner.published_score(embeddings), REPEATED)


@pytest.mark.parametrize("name", ["oc-softmax", "am-softmax", "p2sgrad"])
def test_others_report_what_we_do(name):
    loss = registry.build("losses", name, 8).eval()
    embeddings = torch.randn(5, 8)
    close(loss.published_score(embeddings), loss.score(embeddings), REPEATED)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=2)
    folder = toy_detector(tmp_path / "detector", **CROSS_ENTROPY)
    toy_calibration(folder, [1.0, 2.0, 3.0], [-1.0, 1.5, 0.0])
    return tmp_path


@torch.no_grad()
def logits_of(place, names):
    detector = Detector.from_pretrained(place / "detector")
    clip = detector.experiment.clip
    waves = [soundfile.read(place / f"toy/audio/{n}.wav", dtype="float32")[0] for n in names]
    batch = torch.from_numpy(np.stack([fit(wave, clip, clip.samples) for wave in waves]))
    return detector.loss.logits(detector.embed(batch))


def test_eval_writes_their_score_says_so_and_never_mixes_it_with_ours(capsys, place):
    words = ("eval", "--detector", "detector", "--on", "toy/eval", "--quiet", "--threshold", "eer")
    file = place / "scores/detector/toy__eval.tsv"
    assert amsdf(capsys, *words).status == 0
    ours = read_scores(file)

    done = amsdf(capsys, *words, "--score-rule", "published")
    assert done.status == 0
    assert "# the scores are the authors' own; no calibration and no threshold fits" in done.out
    theirs = read_scores(file)
    logits = logits_of(place, theirs.table["utt"])
    close(torch.tensor(theirs.table["score"]), logits[:, 1])
    close(torch.tensor(ours.table["score"]), logits[:, 1] - logits[:, 0])
    assert (ours.header["score_rule"], theirs.header["score_rule"]) == ("default", "published")

    assert amsdf(capsys, *words).status == 0
    assert read_scores(file).table.equals(ours.table)
    words = ("--calibrate-on", "toy/dev", "--score-rule", "published")
    line = refused(capsys, "eval", "--detector", "detector", "--on", "toy/eval", *words)
    assert "--calibrate-on: fits our score only; leave out --score-rule" in line


def test_score_leaves_the_calibration_out(capsys, place):
    words = ("score", "toy/audio/eval_0_spoof.wav", "--detector", "detector")
    assert "operating point" in amsdf(capsys, *words, "--verbose").out
    done = amsdf(capsys, *words, "--score-rule", "published", "--out", "scores.tsv")
    assert done.status == 0 and "operating point" not in done.out
    assert "the authors' own score, which is not calibrated" in done.out
    (logit,) = logits_of(place, ["eval_0_spoof"])[:, 1]
    assert f" Score {logit:.4f}." in done.out
    assert read_scores(place / "scores.tsv").header["score_rule"] == "published"
