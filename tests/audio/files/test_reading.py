"""Decoding, resampling and fitting: what comes in as a file goes on as (S,) at 16 kHz."""

import io

import av
import numpy as np
import pytest
import soundfile
from sound_files import encode
from toys import tone, toy_manifest

from amsdf.audio.cropping import MIN_SAMPLES, fit
from amsdf.audio.files.reading import SAMPLE_RATE, read_audio, waveform_of
from amsdf.audio.files.recording import Recording
from amsdf.audio.files.sources import AudioError
from amsdf.config import Clip
from amsdf.data.dataset import Clips, TrainingTransform


def sine(hertz=440.0, seconds=1.0, rate=SAMPLE_RATE, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def pitch_of(waveform):
    return np.abs(np.fft.rfft(waveform)).argmax() * SAMPLE_RATE / len(waveform)


FORMATS = [
    ("sound.wav", "pcm_s16le", 16_000),
    ("sound.flac", "flac", 44_100),
    ("sound.mp3", "libmp3lame", 44_100),
    ("sound.ogg", "vorbis", 44_100),
    ("sound.opus", "libopus", 48_000),
    ("sound.m4a", "aac", 44_100),
    ("sound.mp4", "aac", 48_000),
    ("SOUND.WAV", "pcm_s16le", 8_000),
]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("name", "codec", "rate"), FORMATS)
def test_every_format_is_read(tmp_path, name, codec, rate, channels):
    """An mp4 is read for its sound track, its picture left aside."""
    path = tmp_path / name
    encode(path, codec, np.tile(sine(rate=rate), (channels, 1)), rate, video=name.endswith(".mp4"))
    waveform = read_audio(path)
    assert waveform.dtype == np.float32 and waveform.ndim == 1
    assert abs(len(waveform) - SAMPLE_RATE) < 0.12 * SAMPLE_RATE  # codecs pad and delay
    middle = waveform[4000:12_000]
    assert abs(pitch_of(middle) - 440) < 3
    assert abs(np.sqrt((middle**2).mean()) - 0.5 / np.sqrt(2)) < 0.02


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_every_rate_becomes_16_khz(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", sine(rate=rate), rate, subtype="FLOAT")
    waveform = read_audio(tmp_path / "a.wav")
    assert abs(len(waveform) - SAMPLE_RATE) <= 1
    inner = slice(800, 15_000)
    assert np.abs(waveform[inner] - sine()[inner]).max() < 2e-4


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("FLOAT", 0), ("DOUBLE", 0)],
)
def test_every_sample_format_gives_the_same_numbers(tmp_path, subtype, tolerance):
    soundfile.write(tmp_path / "a.wav", sine(), SAMPLE_RATE, subtype=subtype)
    assert np.abs(read_audio(tmp_path / "a.wav") - sine()).max() <= tolerance


def test_channels_are_averaged(tmp_path):
    left, right = sine(300), sine(500)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), SAMPLE_RATE, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "a.wav") - (left + right) / 2).max() < 1e-7
    soundfile.write(tmp_path / "b.wav", np.stack([left, -left], 1), SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"b\.wav: is digital silence"):
        read_audio(tmp_path / "b.wav")


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_what_libsndfile_refuses_ffmpeg_reads_to_the_same_bits(
    tmp_path, monkeypatch, subtype, channels
):
    """Trap: libsndfile refuses valid FLAC (36 to 43 % of ASVspoof 2021)."""
    path = tmp_path / "a.flac"
    soundfile.write(path, np.stack([tone(120), tone(150)][:channels], 1), 16_000, subtype=subtype)
    expected = list(Recording(path).blocks())

    monkeypatch.setattr(soundfile, "SoundFile", _refuse)
    same = list(Recording(path).blocks())
    assert len(expected) == len(same) == 1
    assert expected[0][1] == same[0][1] and np.array_equal(expected[0][0], same[0][0])


@pytest.mark.parametrize("refuses", [False, True])
def test_a_flac_cut_anywhere_is_never_taken_for_whole(tmp_path, monkeypatch, refuses):
    """Cut between two frames it decodes without an error, to less than its header announces."""
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(120, 3.0), SAMPLE_RATE, format="FLAC")
    data = buffer.getvalue()
    frames = [at for at in range(100, len(data)) if data[at : at + 2] == b"\xff\xf8"]
    assert len(frames) > 8
    if refuses:
        monkeypatch.setattr(soundfile, "SoundFile", _refuse)
    path = tmp_path / "cut.flac"
    for keep in [*frames, *(at + 1 for at in frames), *range(1, len(data), 4999), len(data) - 1]:
        path.write_bytes(data[:keep])
        with pytest.raises(AudioError, match=r"cut\.flac: (is cut off|cannot)"):
            read_audio(path)
    path.write_bytes(data)
    assert len(read_audio(path)) == 48_000


def _refuse(*_args, **_kwargs):
    raise soundfile.LibsndfileError(0)


def test_an_mp4_without_sound_is_named(tmp_path):
    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        picture = container.add_stream("mpeg4", rate=25)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(picture.encode(black))
        container.mux(picture.encode())
    with pytest.raises(AudioError, match=r"mute\.mp4: cannot be decoded \(no sound track\)"):
        read_audio(tmp_path / "mute.mp4")


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (0.25, 0.5, 4000, 8000),
        (None, 0.5, 0, 8000),
        (0.75, None, 12_000, 16_000),
        (0.5, 9, 8000, 0),
    ],
)
def test_a_part_between_two_times(tmp_path, start, end, first, last):
    whole = tone(100).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", whole, SAMPLE_RATE, subtype="FLOAT")
    part = read_audio(tmp_path / "a.wav", start, end)
    assert np.array_equal(part, whole[first : last or None])


@pytest.mark.parametrize(("start", "end"), [(-0.5, None), (1.0, None), (0.5, 0.5), (0.5, 0.2)])
def test_a_part_that_is_not_there(tmp_path, start, end):
    soundfile.write(tmp_path / "a.wav", tone(100), SAMPLE_RATE)
    with pytest.raises(
        AudioError, match=rf"a\.wav: has no part from {start} s to .*; it lasts 1\."
    ):
        read_audio(tmp_path / "a.wav", start, end)


CROP = 64_600


@pytest.mark.parametrize("length", [1, CROP - 1, CROP, CROP + 1, 2 * CROP, 5 * CROP + 3])
@pytest.mark.parametrize("short", ["repeat", "zero"])
@pytest.mark.parametrize("crop", ["start", "centre"])
def test_every_length_is_fitted_by_the_declared_rule(length, short, crop):
    """Trap: a clip of exactly 64,600 samples."""
    waveform = np.arange(1, length + 1, dtype=np.float32)
    fitted = fit(waveform, Clip(short=short, eval_crop=crop), CROP)
    assert fitted.shape == (CROP,) and fitted.dtype == np.float32
    if length >= CROP:
        start = (length - CROP) // 2 if crop == "centre" else 0
        assert np.array_equal(fitted, waveform[start : start + CROP])
    elif short == "zero":
        assert np.array_equal(fitted[:length], waveform) and not fitted[length:].any()
    else:
        assert np.array_equal(fitted, waveform[np.arange(CROP) % length])


@pytest.mark.parametrize("offset", [0.0, 0.5, 1 - 1e-12])
def test_a_random_cut_reaches_both_ends_and_no_further(offset):
    waveform = np.arange(105, dtype=np.float32)
    fitted = fit(waveform, Clip(), 100, offset)
    assert len(fitted) == 100 and fitted[0] == min(5, int(offset * 6))
    assert np.array_equal(fit(waveform[:100], Clip(), 100, offset), waveform[:100])


def test_a_whole_utterance_is_kept_and_a_tiny_one_is_long_enough_for_every_encoder():
    waveform = np.arange(1, 5001, dtype=np.float32)
    assert np.array_equal(fit(waveform, Clip(samples=None), None), waveform)
    assert len(fit(waveform[:7], Clip(samples=None), None)) == MIN_SAMPLES


@pytest.mark.parametrize("change", [-1, 0, 1])
@pytest.mark.parametrize("training", [True, False])
def test_clips_about_the_crop_length_load(tmp_path, change, training):
    """Trap: a clip of exactly the crop length, through the dataset."""
    manifest = toy_manifest(tmp_path, "train", clips=1)
    for path in manifest.table["path"]:
        soundfile.write(path, tone(120, 1.0)[: 8000 + change], SAMPLE_RATE)
    clips = Clips(
        manifest, Clip(samples=8000), TrainingTransform(seed=1, pairs=True) if training else None
    )
    for row in range(len(manifest)):
        item = clips[0, row]
        assert not item.error and item.waveform.shape == (8000,)
        assert item.pair is None or item.pair.shape == (8000,)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_bytes_and_open_files_are_read_as_the_file_is(tmp_path, suffix):
    path = tmp_path / f"clip{suffix}"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((8000, 2)), 8000)
    expected = read_audio(path)
    assert np.array_equal(read_audio(path.read_bytes()), expected)
    with path.open("rb") as file:
        assert np.array_equal(read_audio(file), expected)
    with pytest.raises(AudioError, match="the recording: has zero bytes"):
        read_audio(b"")
    with pytest.raises(AudioError, match="the recording: cannot be decoded"):
        read_audio(b"no sound at all")
    if suffix == ".flac":
        with pytest.raises(AudioError, match="the recording: "):
            read_audio(path.read_bytes()[:-2000])


def test_samples_in_memory_are_mixed_scaled_and_resampled():
    stereo = np.random.default_rng(0).standard_normal((8000, 2)).astype(np.float32) * 0.1
    mono = waveform_of(stereo, 16_000)
    assert np.allclose(mono, stereo.mean(axis=1)) and mono.dtype == np.float32
    assert np.array_equal(waveform_of(stereo.T, 16_000), mono)
    assert len(waveform_of(stereo, 8000)) == 16_000
    whole = np.array([-32768, 16384], dtype=np.int16)
    assert waveform_of(whole, 16_000).tolist() == [-1.0, 0.5]


@pytest.mark.parametrize(
    ("samples", "rate", "reason"),
    [
        (np.zeros(0, np.float32), 16_000, "has no samples"),
        (np.zeros(100), 16_000, "is digital silence"),
        (np.array([0.1, np.nan]), 16_000, "1 samples are NaN"),
        (np.ones((2, 3, 4)), 16_000, r"samples have shape \(2, 3, 4\)"),
        (np.ones(9, np.uint8), 16_000, "samples are uint8; give floats"),
        (np.ones(9), 0, "sampling_rate is 0"),
    ],
)
def test_samples_that_nobody_can_judge_are_refused(samples, rate, reason):
    with pytest.raises(ValueError, match=reason):
        waveform_of(samples, rate)
