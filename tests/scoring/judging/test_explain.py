"""Which piece of a recording speaks for fake: stretches, bands and views, for every detector."""

import numpy as np
import pytest
import torch
from toys import PLAIN, RATE, tone, toy_experiment

from amsdf import Encoder, Head, Loss
from amsdf.config import Experiment, merge
from amsdf.config.recipes import read_recipe
from amsdf.detector import finetuning
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.scoring.judging.explain import Evidence, explain_recording, faint_noise

WINDOWS = {"clip": {"samples": 2 * RATE}, "score": {"parts": "windows"}}
WHOLE = {"clip": {"samples": None}, "score": {"parts": "first"}}


class Hiss(Encoder):
    """The power of what is above 4 kHz, in frames of 10 ms; a deaf one hears nothing."""

    dim = 1

    def __init__(self, deaf: bool = False):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(0.0 if deaf else 1.0))

    def forward(self, waveform, lengths=None):
        """(B, S) -> (B, S // 160, 1)."""
        frames = waveform.unfold(1, 160, 160)
        return self.gain * torch.fft.rfft(frames)[..., 40:].abs().mean(-1, keepdim=True)


class Mean(Head):
    """The mean of all nodes of all views."""

    embedding_dim = 1

    def forward(self, views, masks=None):
        """Views (B, N, 1) -> (B, 1)."""
        return sum(view.mean(dim=1) for view in views.values())


class LessIsReal(Loss):
    """The less of it, the more bona fide."""

    def forward(self, embeddings, labels):
        """(B, 1), (B,) -> ()."""
        return embeddings.mean()

    def score(self, embeddings):
        """(B, 1) -> (B,)."""
        return -embeddings[:, 0]


def planted(**changes) -> Detector:
    """A detector to which hiss is fake and nothing else counts; its view `text` is deaf."""
    experiment = toy_experiment(**changes)
    encoders = {"audio": Hiss(), "text": Hiss(deaf=True)}
    for name, encoder in encoders.items():
        finetuning.apply(encoder, experiment.views[name])
    return Detector(experiment, encoders, Mean(), LessIsReal())


def planted_recording() -> np.ndarray:
    """Six seconds of a low tone; from 2.8 to 3.2 s it hisses at 5 kHz."""
    waveform = tone(150, 6.0, noise=0.0)
    time = np.arange(len(waveform)) / RATE
    waveform += 0.3 * np.sin(2 * np.pi * 5000 * time) * ((time > 2.8) & (time < 3.2))
    return waveform.astype(np.float32)


def explain(detector: Detector, waveform: np.ndarray, index: int = 0) -> list[Evidence]:
    return explain_recording(detector, [waveform], index, ScoreSettings())


def strongest(found: list[Evidence], kind: str) -> Evidence:
    return max((each for each in found if each.kind == kind), key=lambda each: each.towards_fake)


@pytest.mark.parametrize(("changes", "index"), [(WINDOWS, 2), (WHOLE, 0)])
def test_the_piece_that_decides_is_found(changes, index):
    """Of the windows, the third lasts from 2 to 4 s."""
    found = explain(planted(**changes), planted_recording(), index)
    time = strongest(found, "time")
    start, end = map(float, time.piece.removesuffix(" s").split("-"))
    assert 2.3 < start < 3.2 and 2.8 < end < 3.7, time
    assert strongest(found, "band").piece == "4-6 kHz"
    views = {each.piece: each.towards_fake for each in found if each.kind == "view"}
    assert views["audio"] > 0 == views["text"]
    assert sum(each.towards_fake > time.towards_fake / 10 for each in found) < 7


def test_signs_point_the_intuitive_way():
    assert str(Evidence("time", "0.8-1.2 s", 0.2134)) == (
        "0.8-1.2 s: speaks for fake (+0.21 towards fake)"
    )
    assert str(Evidence("band", "1-2 kHz", -3.0)) == "1-2 kHz: speaks for real (+3 towards real)"
    assert str(Evidence("view", "text", 0.0)) == "text: makes no difference"


def test_times_are_those_of_the_recording_and_end_with_it():
    pieces = [each.piece for each in explain(planted(**WINDOWS), planted_recording(), 2)]
    assert pieces[0] == "2.0-2.2 s" and pieces[9] == "3.8-4.0 s"
    short = explain(planted(**WINDOWS), planted_recording()[: RATE // 4])
    assert [each.piece for each in short if each.kind == "time"][-1] == "0.20-0.25 s"


def test_one_view_alone_is_not_taken_away():
    found = explain(Detector.build(toy_experiment(views={"text": None})), planted_recording())
    assert {each.kind for each in found} == {"time", "band"}


@pytest.mark.parametrize("recipe", ["demo", "aasist-l", "lfcc-resnet18-oc", "hm-conformer"])
def test_shipped_recipes_are_explained(recipe):
    wanted = merge(read_recipe(recipe), {"clip": {"samples": RATE}})
    torch.manual_seed(0)
    detector = Detector.build(Experiment.parse(wanted)).train()
    first, again = (explain(detector, planted_recording()) for _ in range(2))
    assert [each.towards_fake for each in first] == pytest.approx(
        [each.towards_fake for each in again], abs=1e-4
    ), "as the detector scores: without dropout, whatever it did before"
    assert any(each.towards_fake for each in first)


def test_whole_utterances_are_explained():
    found = explain(Detector.build(toy_experiment(**PLAIN, **WHOLE)), planted_recording())
    assert {each.kind for each in found} == {"time", "band", "view"}


def test_the_stand_in_is_faint_and_sounds_alike():
    waveform = planted_recording()
    noise = faint_noise(waveform)
    assert noise.std() == pytest.approx(0.01 * waveform.std(), rel=0.01)
    spectra = [np.abs(np.fft.rfft(each)) for each in (waveform, noise)]
    assert np.corrcoef(*spectra)[0, 1] > 0.99
