"""Codecs: what comes out is the same sound, in time, changed as this codec changes it."""

import numpy as np
import pytest

from amsdf.contracts import SAMPLE_RATE
from amsdf.data.augmentations import codec
from amsdf.data.augmentations.codec import FORMATS, Codec, available, transcode

BUILT_IN = ("mp3", "aac", "opus", "vorbis", "alaw", "mulaw", "g722")


def voice(samples: int = 2 * SAMPLE_RATE) -> np.ndarray:
    """Harmonics (360 to 2400 Hz) of a gliding pitch in bursts, and noise: (samples,) float32."""
    rng = np.random.default_rng(5)
    time = np.arange(samples) / SAMPLE_RATE
    phase = 2 * np.pi * (120 * time + 30 * np.sin(2 * time))
    harmonics = sum(np.sin(k * phase + k) / k for k in range(3, 20))
    envelope = np.sin(2.5 * np.pi * time) ** 4
    noise = 0.02 * rng.standard_normal(samples)
    return (0.2 * envelope * (harmonics + noise)).astype(np.float32)


def lag_of(late: np.ndarray, original: np.ndarray) -> int:
    """By how many samples `late` comes after `original`."""
    likeness = np.correlate(late[400:-400], original[800:-800], mode="full")
    return int(likeness.argmax()) - (len(original[800:-800]) - 1) - 400


def settings():
    for name in available():
        form = FORMATS[name]
        if form.kbps is None and form.quality is None:
            yield pytest.param(name, {}, id=name)
        for key in ("kbps", "quality"):
            for bound in getattr(form, key) or ():
                yield pytest.param(name, {key: bound}, id=f"{name}-{key}-{bound}")


@pytest.mark.parametrize("name, arguments", settings())
def test_same_length_in_time_and_alike(name, arguments):
    x = voice()
    y = transcode(x, name, **arguments)
    assert y.shape == x.shape
    assert abs(lag_of(y, x)) <= 1
    assert 0.75 < np.corrcoef(x, y)[0, 1] < 0.999999


def test_this_build_has_the_usual_codecs():
    assert set(BUILT_IN) <= set(available())


def test_aac_has_no_more_bits_than_its_frames_hold():
    x = voice(8000)
    np.testing.assert_array_equal(transcode(x, "aac", kbps=128), transcode(x, "aac", kbps=96))


@pytest.mark.parametrize("name", ["alaw", "mulaw"])
@pytest.mark.parametrize("level", [0.5, 0.05, 0.005])
def test_companding_is_expanded_again(name, level):
    """Defect of a reference: companded but never expanded, quiet tones 16 times louder."""
    tone = (level * np.sin(2 * np.pi * 440 * np.arange(16_000) / SAMPLE_RATE)).astype(np.float32)
    decoded = transcode(tone, name)
    assert decoded.std() == pytest.approx(tone.std(), rel=0.03)
    assert np.abs(decoded - tone)[500:-500].max() > 1e-5  # eight bits are heard


@pytest.mark.parametrize("name", ["mp3", "aac", "opus"])
def test_more_bits_are_more_alike(name):
    x = voice()
    low, high = FORMATS[name].kbps
    poor, rich = (np.abs(transcode(x, name, kbps=kbps) - x).mean() for kbps in (low, high))
    assert rich < 0.7 * poor


@pytest.mark.parametrize("name, best, worst", [("mp3", 0, 9), ("vorbis", 10, 0.5)])
def test_quality_has_the_direction_said(name, best, worst):
    x = voice()
    rich, poor = (np.abs(transcode(x, name, quality=q) - x).mean() for q in (best, worst))
    assert rich < poor


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("samples", [1, 159, 1600, 64_601])
def test_any_length(name, samples):
    y = transcode(voice(samples), name)
    assert y.shape == (samples,)
    assert np.isfinite(y).all()


def test_draws_repeat_and_vary():
    augmentation, x = Codec(), voice(8000)
    augmentation.prepare({})
    runs = [augmentation(x, np.random.default_rng(seed)) for seed in (1, 1, 3)]
    assert runs[0].dtype == np.float32
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_a_codec_that_the_build_lacks_is_an_error_at_start(monkeypatch):
    """The trap "silent augmentation no-op"."""
    broken = codec.Format("no-such-encoder", "mp3float")
    monkeypatch.setitem(FORMATS, "gone", broken)
    with pytest.raises(ValueError, match=r"codec 'gone' is not in this build .* available: mp3"):
        Codec(["mp3", "gone"]).prepare({})


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"codecs": []}, "codecs is empty"),
        ({"codecs": ["mp4"]}, "no codec 'mp4'. Did you mean 'mp3'"),
        ({"codecs": ["alaw"], "kbps": [16, 32]}, "codec 'alaw' takes no kbps"),
        ({"codecs": ["mp3"], "kbps": [1, 32]}, "kbps of mp3 = .* 16 <= from <= to <= 128"),
        ({"codecs": ["mp3"], "kbps": [32, 16]}, "from <= to"),
        ({"codecs": ["mp3"], "kbps": [16, 32], "quality": [0, 2]}, "give one of them"),
        ({"codecs": ["mp3"], "p": 0}, "p = 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Codec(**arguments)
