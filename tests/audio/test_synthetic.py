"""Made-up speech: repeatable, speech-like, and its fakes are copies."""

import numpy as np
import pytest

from amsdf.audio.synthetic import CorpusPlan, draw_voice, lpc_vocoder, make_corpus, speak
from amsdf.cli.demo import _plans
from amsdf.data.manifest import read_manifest


def utterance(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return speak(draw_voice(rng, (90, 140)), 1.5, rng)


def test_speech_repeats_and_differs():
    assert np.array_equal(utterance(1), utterance(1))
    assert not np.array_equal(utterance(1)[:16000], utterance(2)[:16000])
    assert utterance().dtype == np.float32 and 0.3 <= np.abs(utterance()).max() <= 0.9


def test_speech_has_pauses_and_voiced_parts():
    frames = utterance(3).reshape(-1, 160)
    level = 20 * np.log10(frames.std(axis=1) + 1e-9)
    assert level.max() - level.min() > 20


@pytest.mark.parametrize("vocoder", [v for plan in _plans(4) for v in plan.vocoders.values()])
def test_a_copy_keeps_the_spectrum_and_not_the_waveform(vocoder):
    original = utterance(4)
    copy = vocoder(original, np.random.default_rng(0))
    assert copy.shape == original.shape and copy.dtype == np.float32 and np.isfinite(copy).all()
    assert abs(np.corrcoef(original, copy)[0, 1]) < 0.9

    def spectrum(wave: np.ndarray) -> np.ndarray:
        return np.log(
            np.abs(np.fft.rfft(wave[:16000].reshape(-1, 400), axis=1)).mean(axis=0) + 1e-3
        )

    assert np.corrcoef(spectrum(original), spectrum(copy))[0, 1] > 0.8


def test_splits_share_no_speaker_and_a_second_call_makes_nothing(tmp_path):
    plan = CorpusPlan("toy", (90, 140), {"lpc": lpc_vocoder}, clips=12, seconds=0.5)
    path = make_corpus(tmp_path / "toy", plan, progress=False)
    table = read_manifest(path).table
    assert len(table) == 24 and table["label"].sum() == 12
    speakers = {split: set(part["speaker"]) for (split,), part in table.group_by("split")}
    assert not speakers["train"] & speakers["eval"] and not speakers["dev"] & speakers["eval"]
    before = path.stat().st_mtime_ns
    assert make_corpus(tmp_path / "toy", plan, progress=False).stat().st_mtime_ns == before
