"""A part of a long recording is read without what is before it, and is the same samples."""

import av
import numpy as np
import pytest
import soundfile
from sound_files import cut_off, encode

from amsdf.audio import AudioError
from amsdf.audio.files import decoding, entering
from amsdf.audio.files.recording import Recording

RATE, SECONDS = 22_050, 60
#: name, FFmpeg's coder (None: as soundfile writes it), options, largest difference
FORMATS = [
    ("a.wav", None, {}, 0.0),
    ("a.flac", None, {}, 0.0),
    ("a.ogg", None, {}, 0.0),
    ("a.mp3", None, {}, 2**-17),  # whole it is read by the other decoder
    ("b.mp3", "libmp3lame", {}, 2**-17),
    ("c.mp3", "libmp3lame", {"write_xing": "0"}, 2**-17),
    ("b.flac", "flac", {}, 0.0),
    ("a.m4a", "alac", {}, 0.0),
    ("b.m4a", "aac", {}, 0.0),
]


def sound() -> np.ndarray:
    """Noise that rises and falls, of a pitch that glides (S,)."""
    time = np.arange(SECONDS * RATE) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time)) * np.sin(time) ** 2
    return (0.3 * np.sin(time * (900 + 300 * np.sin(time))) + 0.1 * noise).astype(np.float32)


def written(path, codec=None, options=None):
    """`sound` in a file; block by block, because libsndfile writes no long Ogg at once."""
    if codec is not None:
        encode(path, codec, sound()[None], RATE, options=options)
        return path
    with soundfile.SoundFile(path, "w", RATE, channels=1) as file:
        for block in np.split(sound(), SECONDS):
            file.write(block)
    return path


def samples_of(path, start=None, end=None) -> np.ndarray:
    return np.concatenate([block for block, _ in Recording(path).blocks(start, end)])[:, 0]


@pytest.fixture
def decoded(monkeypatch):
    """Samples that decoders gave, in blocks of a second."""
    monkeypatch.setattr(decoding, "_BLOCK", RATE)
    sizes: list[int] = []
    for name in ("_read_blocks", "_gathered"):
        blocks = getattr(decoding, name)
        monkeypatch.setattr(decoding, name, lambda *given, b=blocks: _counted(b(*given), sizes))
    return sizes


def _counted(blocks, sizes):
    for block in blocks:
        sizes.append(len(block))
        yield block


def _refuse(*_args, **_kwargs):
    raise soundfile.LibsndfileError(0)


@pytest.mark.parametrize("case", FORMATS, ids=lambda case: case[0])
def test_a_part_is_entered_and_exact(tmp_path, decoded, case):
    name, codec, options, most = case
    path = written(tmp_path / name, codec, options)
    whole = samples_of(path)
    starts = [0.01, 1.0, 3.3, 29.999, 45.123456, 58.5, *np.random.default_rng(1).uniform(2, 58, 20)]
    for start in starts:
        decoded.clear()
        part = samples_of(path, start, start + 1.0)
        first = round(start * RATE)
        assert np.abs(part - whole[first : first + len(part)]).max() <= most
        assert len(part) == round((start + 1.0) * RATE) - first
        assert sum(decoded) <= 4 * RATE, "from the beginning"


@pytest.mark.parametrize("name", ["a.mp3", "b.mp3", "a.ogg"])
def test_the_borders_of_blocks_are_not_heard(tmp_path, monkeypatch, name):
    """Trap: each read of soundfile ends with a seek, and an MP3 is then decoded wrongly."""
    path = written(tmp_path / name, "libmp3lame" if name == "b.mp3" else None)
    at_once = soundfile.read(path, dtype="float32")[0]
    monkeypatch.setattr(decoding, "_BLOCK", 3000)
    assert np.abs(samples_of(path) - at_once).max() < 1e-6


def test_a_flac_that_libsndfile_refuses_is_entered_too(tmp_path, monkeypatch, decoded):
    path = written(tmp_path / "a.flac")
    whole = samples_of(path)
    monkeypatch.setattr(soundfile, "SoundFile", _refuse)
    for start in (0.5, 1.0, 29.999, 45.123456, 58.9):
        decoded.clear()
        first = round(start * RATE)
        assert np.array_equal(samples_of(path, start, start + 1), whole[first : first + RATE])
        assert np.array_equal(samples_of(path, start), whole[first:])
        assert sum(decoded) < 3 * RATE + len(whole) - first + RATE


def test_a_coder_that_goes_on_from_all_sound_before_is_not_entered(tmp_path):
    path = tmp_path / "a.opus"
    encode(path, "libopus", np.repeat(sound()[None, :240_000], 2, axis=1), 48_000)
    whole = samples_of(path)
    assert np.array_equal(samples_of(path, 7.3, 8.3), whole[round(7.3 * 48_000) :][:48_000])


@pytest.mark.parametrize("gap", [0, 1, 10])
def test_a_track_with_a_gap_is_not_entered(tmp_path, gap):
    """The times of its packets do not say how many samples are before them."""
    path, wave = tmp_path / "a.m4a", sound()[None]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for at in range(0, 30 * RATE - 1024, 1024):
            frame = av.AudioFrame.from_ndarray(
                wave[:, at : at + 1024], format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = RATE, at + gap * 1024 * (at > 5 * RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        assert (entering.enter_track(container, 20 * RATE) is None) == (gap > 0)
    whole = samples_of(path)
    assert np.array_equal(samples_of(path, 20.0, 21.0), whole[20 * RATE : 21 * RATE])


@pytest.mark.parametrize("case", FORMATS, ids=lambda case: case[0])
def test_a_part_up_to_the_end_says_what_the_file_lacks(tmp_path, case):
    name, codec, options, _ = case
    path = written(tmp_path / name, codec, options)
    recording = Recording(path)
    there = sum(len(block) for block, _ in recording.blocks(20.0))
    assert recording.cut_off == "" and abs(there / RATE - 40) < 0.1
    with pytest.raises(AudioError, match=r"has no part from 70\.0 s to the end; it lasts 60\."):
        list(Recording(path).blocks(70.0))

    if path.suffix == ".m4a" or "write_xing" in options:
        return  # nothing says how long it is, or its table is at its end

    cut_off(path)
    recording = Recording(path)
    there = sum(len(block) for block, _ in recording.blocks(20.0))
    assert "cut off" in recording.cut_off and 5 < there / RATE < 30


@pytest.mark.parametrize("coder", ["alac", "aac"])
def test_a_track_that_is_cut_off_says_so_wherever_it_is_entered(tmp_path, coder):
    path = written(tmp_path / "a.m4a", coder, {"movflags": "faststart"})
    for start in (0.0, 20.0):
        recording = Recording(path)
        list(recording.blocks(start))
        assert recording.cut_off == ""
    cut_off(path)
    for start in (0.0, 20.0):
        recording = Recording(path)
        list(recording.blocks(start))
        assert "cut off" in recording.cut_off
