"""What is heard: speech and what is none, clipping, bandwidth; in any blocks, in little memory."""

import tracemalloc

import numpy as np
import polars as pl
import pytest
from kept_files import shared_path
from scipy.ndimage import binary_closing
from toy_sounds import NO_SPEECH, no_speech, speech
from toys import RATE

from amsdf.audio import read_audio
from amsdf.audio.speech import Listener, _without_gaps, hear, reasons_not_to_judge, warnings_of
from amsdf.data.augmentations.codec import transcode
from amsdf.data.augmentations.level import BandLimit, Clipping, Gain
from amsdf.data.augmentations.noise import AddNoise
from amsdf.data.augmentations.reverb import Reverb

NOTHING = ["no speech is found in the recording"]


@pytest.mark.parametrize("name", NO_SPEECH)
def test_what_is_no_speech_is_not_judged(name):
    for seed, seconds in enumerate((1.5, 4.0, 9.0)):
        sound = no_speech(name, seconds, seed)
        assert reasons_not_to_judge(hear([sound])) == NOTHING, seconds
        assert reasons_not_to_judge(hear([0.001 * sound])) == NOTHING, "also when it is quiet"


@pytest.mark.parametrize("corpus", ["libri_copy", "yourtts", "styletts2", "local_tts", "ami_mini"])
def test_real_and_fake_speech_is_heard(corpus):
    clips = _clips(corpus, 30)
    silent = [bool(reasons_not_to_judge(hear([clip]))) for clip in clips]
    assert np.mean(silent) <= 0.05


@pytest.mark.parametrize(
    "change",
    [
        AddNoise(colour="pink", snr_db=(10, 10)),
        BandLimit(),
        Reverb(rt60=(0.4, 0.4), direct_db=(3, 3)),
        Gain(gain_db=(-30, -30)),
        lambda clip, rng: transcode(clip, "mp3", kbps=32),
    ],
)
def test_speech_is_heard_in_everyday_copies(change):
    rng = np.random.default_rng(0)
    clips = [change(clip, rng) for clip in _clips("libri_copy", 30)]
    assert np.mean([bool(reasons_not_to_judge(hear([clip]))) for clip in clips]) <= 0.07


def test_speech_between_music_is_heard():
    parts = [no_speech("a band", 16.0), speech(8.0), no_speech("plucked strings", 8.0)]
    heard = hear([np.concatenate(parts)])
    assert 4 < heard.speech_seconds < 13 and reasons_not_to_judge(heard) == []
    (warning,) = warnings_of(heard)
    assert warning.endswith(" of 32 s are speech; the rest may mislead the detector")


def test_how_a_recording_is_cut_into_blocks_does_not_matter():
    waveform = np.concatenate([speech(7.3), no_speech("a band", 5.0)])
    whole = hear([waveform])
    for size in (1, 1000, 70_000):
        step = max(size, 777) if size == 1 else size
        assert hear(waveform[at : at + step] for at in range(0, len(waveform), step)) == whole


def test_little_speech_is_too_little():
    short = speech(0.6)
    assert reasons_not_to_judge(hear([short])) == [
        f"the recording lasts {len(short) / RATE:.2f} s; 1 s of speech is needed"
    ]
    padded = np.concatenate([short, np.zeros(3 * RATE, np.float32)])
    (reason,) = reasons_not_to_judge(hear([padded]))
    assert reason.startswith("0.") and reason.endswith(" s of speech is found; 1 s is needed")
    assert hear([]).seconds == 0 and reasons_not_to_judge(hear([])) != []


def test_silence_is_no_speech():
    heard = hear([np.zeros(3 * RATE, np.float32)])
    assert heard.sound_seconds == 0 and reasons_not_to_judge(heard) == NOTHING
    assert heard.clipped_share == 0 and warnings_of(heard) == []


def test_clipped_samples_are_counted():
    waveform = speech(4.0)
    rng = np.random.default_rng(0)
    assert hear([waveform]).clipped_share < 0.01
    for share in (0.03, 0.2):
        heard = hear([Clipping(share=(share, share))(waveform, rng)])
        assert heard.clipped_share == pytest.approx(share, abs=0.02)
    assert reasons_not_to_judge(heard)[0].startswith("the recording is heavily clipped (2")
    some = hear([Clipping(share=(0.03, 0.03))(waveform, rng)])
    assert reasons_not_to_judge(some) == []
    assert warnings_of(some)[0].endswith(" % of the samples are clipped")


def test_the_band_of_a_telephone_is_a_warning_and_that_of_a_wall_a_reason():
    waveform, rng = speech(4.0), np.random.default_rng(0)
    assert warnings_of(hear([waveform])) == []
    phone = hear([BandLimit()(waveform, rng)])
    assert 3300 < phone.bandwidth_hz < 4000 and reasons_not_to_judge(phone) == []
    assert warnings_of(phone) == [
        f"nothing is heard above {phone.bandwidth_hz / 1000:.1f} kHz, as on a telephone"
    ]
    wall = hear([BandLimit(rates=(2800,), band_hz=None)(waveform, rng)])
    assert reasons_not_to_judge(wall)[-1] == "nothing is heard above 1.4 kHz"


def test_the_level_is_that_of_the_loud_frames():
    waveform = no_speech("a tone")
    assert hear([waveform]).level == pytest.approx(-9.0, abs=0.2)
    assert hear([0.1 * waveform]).level == pytest.approx(-29.0, abs=0.2)


def test_pauses_are_filled_as_by_a_morphological_closing():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.02, 0.1, 0.5):
        loud = rng.random(400) < share
        closed = binary_closing(np.pad(loud, 100), np.ones(30))[100:-100]
        np.testing.assert_array_equal(_without_gaps(loud), closed)


def test_an_hour_takes_little_memory():
    block = speech(10.0)
    tracemalloc.start()
    listener = Listener()
    for _ in range(20):
        listener.add(block)
    early = tracemalloc.get_traced_memory()[1]
    for _ in range(40):
        listener.add(block)
    assert tracemalloc.get_traced_memory()[1] < early + 1_000_000
    tracemalloc.stop()
    assert listener.hearing().seconds == pytest.approx(600, abs=1)


def _clips(corpus: str, number: int) -> list[np.ndarray]:
    manifest = shared_path("corpora", corpus, "manifest.csv")
    paths = pl.read_csv(manifest)["path"]
    clips = [read_audio(manifest.parent / path) for path in paths[:: max(1, len(paths) // number)]]
    return [clip for clip in clips if len(clip) >= 2 * RATE]
