"""The contract, the compositions and every augmentation but RawBoost and the codecs."""

import numpy as np
import pytest
import soundfile

from amsdf import registry
from amsdf.config import Component
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.augmentations import Augmentation, build_augmentations
from amsdf.data.augmentations.level import BandLimit, Clipping, Gain
from amsdf.data.augmentations.noise import AddBabble, AddNoise
from amsdf.data.augmentations.reverb import Reverb
from amsdf.data.augmentations.timing import FrequencyMask, Speed, TimeMask, TrimSilence

ARGUMENTS = {
    "noise": {"source": "sounds/noise"},
    "babble": {"source": "sounds/voices"},
    "chain": {"of": ["clip", {"name": "gain", "gain_db": [3, 6]}]},
    "one-of": {"of": ["clip", {"name": "gain", "gain_db": [3, 6]}]},
    "some-of": {"of": ["clip", "time-mask", {"name": "gain", "gain_db": [3, 6]}]},
    "copies": {"of": [{"name": "gain", "gain_db": [3, 6]}], "n": 2},
    "speed": {"factors": [0.9, 1.1]},
}


def wave(samples: int = SAMPLE_RATE, seed: int = 0) -> np.ndarray:
    """Noise (samples,) float32, loud and soft in turn, soft at both ends."""
    noise = np.random.default_rng(seed).standard_normal(samples)
    envelope = np.sin(3 * np.pi * np.linspace(0, 1, samples)) ** 2
    return (0.1 * envelope * noise).astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def band_energy(waveform: np.ndarray, low: float, high: float) -> float:
    power = np.abs(np.fft.rfft(waveform)) ** 2
    hz = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    return float(power[(hz >= low) & (hz < high)].mean())


def snr_db(clean: np.ndarray, noisy: np.ndarray) -> float:
    return 10 * np.log10((clean**2).sum() / ((noisy - clean) ** 2).sum())


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """A data root `sounds` with noise, voices and a room; `table`, a manifest with splits."""
    root = tmp_path_factory.mktemp("sounds")
    for part, count in (("noise", 2), ("voices", 3)):
        (root / part).mkdir()
        for index in range(count):
            soundfile.write(root / part / f"{index}.wav", wave(5000, seed=index), SAMPLE_RATE)
    (root / "rooms").mkdir()
    impulse = np.zeros(400)
    impulse[[100, 250]] = 0.8, 0.4
    soundfile.write(root / "rooms" / "room.wav", impulse, SAMPLE_RATE)
    rows = ["path,split", "noise/0.wav,train", "noise/1.wav,test"]
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    return {"sounds": root, "table": root / "manifest.csv"}


# Every registered augmentation


@pytest.mark.parametrize("name", registry.names("augmentations"))
@pytest.mark.parametrize("samples", [1, 500, SAMPLE_RATE])
def test_contract(name, samples, roots):
    """Float32, finite, the input untouched, the same again from the same generator."""
    augmentation = registry.build("augmentations", name, **ARGUMENTS.get(name, {}))
    augmentation.prepare(roots)
    x = wave(2 * SAMPLE_RATE)[4000 : 4000 + samples]
    before = x.copy()
    first, again = augmentation(x, rng(1)), augmentation(x, rng(1))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert first.ndim == 1
    assert np.isfinite(first).all()
    assert len(first) == samples or name in ("speed", "trim-silence")


@pytest.mark.parametrize("name", registry.names("augmentations"))
def test_active(name, roots):
    """The trap "silent augmentation no-op": with its defaults each one changes the sound."""
    augmentation = registry.build("augmentations", name, **ARGUMENTS.get(name, {}))
    augmentation.prepare(roots)
    x = np.concatenate([np.full(8000, 1e-6, np.float32), wave()])
    assert not np.array_equal(augmentation(x, rng(1)), x)


@pytest.mark.parametrize("name", registry.names("augmentations"))
def test_silence_stays_finite(name, roots):
    augmentation = registry.build("augmentations", name, **ARGUMENTS.get(name, {}))
    augmentation.prepare(roots)
    assert np.isfinite(augmentation(np.zeros(4000, np.float32), rng())).all()


@pytest.mark.parametrize("name", registry.names("augmentations"))
def test_global_random_state_is_left_alone(name, roots):
    augmentation = registry.build("augmentations", name, **ARGUMENTS.get(name, {}))
    augmentation.prepare(roots)
    np.random.seed(7)
    augmentation(wave(), rng())
    drawn = np.random.random()
    np.random.seed(7)
    assert drawn == np.random.random()


# From an experiment


def test_build_from_components(roots):
    components = [
        Component.model_validate(item)
        for item in (
            {"name": "one-of", "of": [{"name": "noise", "source": "sounds/noise"}, "clip"]},
            "gain",
        )
    ]
    whole = build_augmentations(components, roots)
    assert isinstance(whole, Augmentation)
    assert not np.array_equal(whole(wave(), rng()), wave())
    assert build_augmentations([], roots) is None


def test_copies_reach_the_dataset(roots):
    component = Component.model_validate({"name": "copies", "of": ["gain"], "n": 4})
    whole = build_augmentations([component], roots)
    assert (whole.copies, whole.keeps_original) == (4, True)


@pytest.mark.parametrize(
    "source, message",
    [
        ("sonuds", "no data root 'sonuds' .* Did you mean 'sounds'. Give --data sonuds=PATH"),
        ("table/dev", "no split 'dev'"),
        ("empty", "holds no sound file"),
        ("gone", "no such file or folder"),
        ("hollow", "2 of 2 recordings are not there"),
    ],
)
@pytest.mark.parametrize("name", ["noise", "babble", "reverb"])
def test_missing_recordings_are_an_error_at_start(name, source, message, roots, tmp_path):
    """The trap "silent augmentation no-op": a missing noise list stops the run at its start."""
    hollow = tmp_path / "hollow.csv"
    hollow.write_text("path\na.wav\nb.wav\n")
    more = {"empty": tmp_path, "gone": tmp_path / "gone", "hollow": hollow}
    component = Component(name="chain", args={"of": [{"name": name, "source": source}]})
    with pytest.raises(ValueError, match=message):
        build_augmentations([component], {**roots, **more})


# One by one


@pytest.mark.parametrize("arguments", [{"colour": "pink"}, {"source": "sounds/noise"}])
def test_noise_has_the_snr_asked(arguments, roots):
    noise = AddNoise(**arguments, snr_db=(7, 7))
    noise.prepare(roots)
    assert snr_db(wave(), noise(wave(), rng())) == pytest.approx(7, abs=0.01)


def test_noise_from_a_split_of_a_manifest(roots):
    noise = AddNoise("table/train", snr_db=(-100, -100))
    noise.prepare(roots)
    recorded = soundfile.read(roots["sounds"] / "noise" / "0.wav", dtype="float32")[0]
    added = noise(wave(5000), rng())
    likeness = np.fft.ifft(np.fft.fft(added) * np.fft.fft(recorded).conj()).real
    assert likeness.max() > 0.99 * np.linalg.norm(added) * np.linalg.norm(recorded)


@pytest.mark.parametrize(
    "colour, db_per_octave", [("violet", 6), ("blue", 3), ("white", 0), ("pink", -3), ("brown", -6)]
)
def test_colour_has_its_slope(colour, db_per_octave):
    silence = wave(4 * SAMPLE_RATE)
    noise = AddNoise(colour=colour, snr_db=(-60, -60))(silence, rng())
    octave = band_energy(noise, 2000, 2200) / band_energy(noise, 1000, 1100)
    assert 10 * np.log10(octave) == pytest.approx(db_per_octave, abs=1.5)


def test_babble_mixes_several_voices(roots):
    babble = AddBabble("sounds/voices", num_voices=(3, 3), snr_db=(0, 0))
    babble.prepare(roots)
    assert snr_db(wave(), babble(wave(), rng())) == pytest.approx(0, abs=0.01)


def test_recorded_room(roots):
    """The direct sound stays in place (the file has it at sample 100), the echo comes 150 later."""
    reverb = Reverb("sounds/rooms")
    reverb.prepare(roots)
    impulse = np.zeros(1000, np.float32)
    impulse[300] = 0.5
    wet = reverb(impulse, rng())
    assert np.flatnonzero(np.abs(wet) > 1e-3).tolist() == [300, 450]
    assert wet[450] / wet[300] == pytest.approx(0.5, abs=1e-3)


def test_simulated_room_dies_away():
    impulse = np.zeros(2 * SAMPLE_RATE, np.float32)
    impulse[0] = 1
    wet = Reverb(rt60=(0.5, 0.5), direct_db=(0, 0))(impulse, rng())
    early, late = (np.square(wet[k : k + 800]).sum() for k in (1, 4001))
    assert wet.argmax() == 0
    assert 10 * np.log10(early / late) == pytest.approx(60 * 0.25 / 0.5, abs=3)
    assert np.abs(wet[8001:]).max() < 1e-9


def test_loudness_survives_the_room():
    x = wave()
    assert Reverb()(x, rng()).std() == pytest.approx(x.std(), rel=0.02)


@pytest.mark.parametrize(
    "arguments, gone, kept",
    [
        ({"band_hz": None}, (4500, 8000), (500, 3500)),
        ({"rates": []}, (7000, 8000), (600, 2000)),
        ({"rates": []}, (1, 100), (600, 2000)),
    ],
)
def test_band_limit(arguments, gone, kept):
    x = np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE).astype(np.float32)
    y = BandLimit(**arguments)(x, rng())
    assert band_energy(y, *gone) < 0.05 * band_energy(x, *gone)
    assert band_energy(y, *kept) == pytest.approx(band_energy(x, *kept), rel=0.1)
    assert np.correlate(y, x, mode="same").argmax() == len(x) // 2  # in time


def test_gain_in_decibels():
    np.testing.assert_allclose(Gain((6, 6))(wave(), rng()), wave() * 1.99526, rtol=1e-5)


def test_clip_cuts_the_share_asked():
    y = Clipping((0.1, 0.1))(wave(), rng())
    assert np.mean(np.abs(y) == np.abs(y).max()) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_moves_pitch_and_length(factor):
    tone = np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    y = Speed([factor])(tone, rng())
    peak = np.abs(np.fft.rfft(y)).argmax() * SAMPLE_RATE / len(y)
    assert len(y) == pytest.approx(SAMPLE_RATE / factor, abs=1)
    assert peak == pytest.approx(1000 * factor, abs=2)


def test_time_mask_is_as_long_as_asked():
    y = TimeMask(num=(1, 1), seconds=(0.05, 0.05))(np.ones(SAMPLE_RATE, np.float32), rng())
    silent = np.flatnonzero(y == 0)
    assert len(silent) == 800
    assert silent[-1] - silent[0] == 799


def test_frequency_mask_takes_out_one_band():
    x = np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
    y = FrequencyMask(num=(1, 1), width_hz=(500, 500))(x, rng())
    quiet = [band_energy(y, low, low + 100) < 0.01 * band_energy(x, low, low + 100)
             for low in range(0, 8000, 100)]  # fmt: skip
    assert sum(quiet) in (4, 5)
    first = quiet.index(True)
    assert all(quiet[first : first + 4])


def test_trim_silence_shortens_long_silences():
    tone, silence = np.ones(4000, np.float32), np.zeros(8000, np.float32)
    x = np.concatenate([silence, tone, silence, tone, silence])
    assert len(TrimSilence(longest=0.2)(x, rng())) == 1600 + 4000 + 3200 + 4000 + 1600
    assert len(TrimSilence(longest=0.2, where="ends")(x, rng())) == 1600 + 16_000 + 1600
    assert len(TrimSilence(longest=0)(x, rng())) == 8000
