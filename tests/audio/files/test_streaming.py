"""Long recordings come in blocks, and the blocks are the recording."""

import tracemalloc

import numpy as np
import pytest
import soundfile
from toys import tone

from amsdf.audio import AudioError, read_audio, resample, stream_audio
from amsdf.audio.files import decoding
from amsdf.audio.files.recording import Recording


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(decoding, "_BLOCK", 3000)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("part", [(None, None), (0.3, 1.2), (1.5, None)])
def test_blocks_are_what_is_read_at_once(tmp_path, monkeypatch, suffix, rate, part):
    """Their size changes nothing, with and without a resampler."""
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * rate, 2)).astype(np.float32)
    soundfile.write(path, noise, rate)
    whole = read_audio(path, *part)
    monkeypatch.setattr(decoding, "_BLOCK", 3000)
    blocks = list(stream_audio(path, *part))
    assert len(blocks) > 3 and all(block.dtype == np.float32 for block in blocks)
    assert np.allclose(np.concatenate(blocks), whole, rtol=0, atol=1e-6)
    assert np.array_equal(np.concatenate(blocks), read_audio(path, *part))


def test_a_stream_is_resampled_as_samples_in_memory_are(tmp_path, small_blocks):
    wave = tone(100, 2.0).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 44_100, subtype="FLOAT")
    assert np.array_equal(read_audio(tmp_path / "a.wav"), resample(wave, 44_100))


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_part_is_read_without_what_is_before_it(tmp_path, monkeypatch, small_blocks, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(100, 60.0), 16_000)
    read = []
    blocks = decoding._read_blocks
    monkeypatch.setattr(
        decoding,
        "_read_blocks",
        lambda *given: (read.append(len(block)) or block for block in blocks(*given)),
    )
    part = read_audio(path, 50.0, 50.5)
    assert len(part) == 8000 and sum(read) < 12_000
    assert np.array_equal(part, soundfile.read(path, dtype="float32")[0][800_000:808_000])


def test_a_decoder_that_gives_up_halfway_is_relieved_by_the_other(
    tmp_path, monkeypatch, small_blocks
):
    """Nothing is heard twice, nothing is left out."""
    path = tmp_path / "a.flac"
    soundfile.write(path, tone(100, 2.0), 16_000)
    whole = read_audio(path)
    blocks = decoding._read_blocks

    def break_off(*given):
        yield next(blocks(*given))
        raise soundfile.LibsndfileError(0)

    monkeypatch.setattr(decoding, "_read_blocks", break_off)
    assert np.array_equal(read_audio(path), whole)
    assert np.array_equal(read_audio(path, 0.5, 1.5), whole[8000:24_000])


def test_memory_does_not_grow_with_the_recording(tmp_path):
    """Ten minutes at 48 kHz, and an hour of silence: 230 MB as samples."""
    long, silent = tmp_path / "long.flac", tmp_path / "silent.flac"
    with soundfile.SoundFile(long, "w", 48_000, 1) as file:
        for _ in range(10):
            file.write(np.tile(tone(100, 1.0), 3 * 60))
    with soundfile.SoundFile(silent, "w", 16_000, 1) as file:
        for _ in range(60):
            file.write(np.zeros(16_000 * 60, np.float32))
    tracemalloc.start()
    assert sum(map(len, stream_audio(long))) == 10 * 60 * 16_000
    with pytest.raises(AudioError, match="digital silence"):
        read_audio(silent)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_what_is_read_whole_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("amsdf.audio.files.reading.MAX_HOURS", 1 / 3600)
    soundfile.write(tmp_path / "a.wav", tone(100, 2.0), 16_000)
    with pytest.raises(AudioError, match="hours; cut it into parts"):
        read_audio(tmp_path / "a.wav")
    assert len(read_audio(tmp_path / "a.wav", 0.5, 1.0)) == 8000


def test_samples_that_are_no_numbers_end_a_stream(tmp_path, small_blocks):
    wave = tone(100, 1.0)
    wave[9000] = np.nan
    soundfile.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="1 samples are NaN"):
        list(stream_audio(tmp_path / "a.wav"))


def test_a_recording_gives_its_own_rate_and_channels(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((100, 64)), 22_050)
    ((samples, rate),) = Recording(tmp_path / "a.wav").blocks()
    assert samples.shape == (100, 64) and rate == 22_050


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "aiff"])
def test_how_long_a_recording_is_can_be_told_before(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.tile(tone(100, 1.0), 30), 16_000)
    assert abs(decoding.about_seconds(path) - 30) < 0.5
    path.write_bytes(b"no sound")
    assert decoding.about_seconds(path) == 0


@pytest.mark.parametrize(("rate", "suffix"), [(16_000, "wav"), (16_000, "flac"), (44_100, "mp3")])
def test_a_long_recording_is_in_memory_once(tmp_path, rate, suffix):
    """Five minutes: four bytes a sample, the room that the array grows by, and a block."""
    path = tmp_path / f"a.{suffix}"
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for _ in range(5 * 60):
            file.write(np.resize(tone(100, 1.0), rate))
    tracemalloc.start()
    waveform = read_audio(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert abs(len(waveform) - 5 * 60 * 16_000) < 3000 and waveform.flags.writeable
    assert peak <= 6 * len(waveform)


def test_silence_before_and_between_sounds_is_kept(tmp_path, small_blocks):
    wave = np.zeros(40_000, np.float32)
    wave[20_000:20_500] = wave[33_000:33_100] = 0.5
    soundfile.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    assert np.array_equal(read_audio(tmp_path / "a.wav"), wave)
