"""Sound from pipes, growing files and devices; rates, holes and ends of all kinds."""

import errno
import io
import os
import threading
import time

import av
import numpy as np
import pytest
import soundfile
from toys import tone

from amsdf.audio import AudioError, read_audio
from amsdf.serving.live import backlog, sound
from amsdf.serving.live.backlog import Backlog
from amsdf.serving.live.inflow import Inflow
from amsdf.serving.live.sound import (
    GrowingFile,
    RawFormat,
    demuxed_blocks,
    microphone_blocks,
    open_source,
    raw_blocks,
)

RATE = 16_000


class Trickle:
    """Bytes that come a few at a time."""

    def __init__(self, content: bytes, size: int = 1001):
        self.file, self.size = io.BytesIO(content), size

    def read(self, size=-1, /):
        return self.file.read(min(size, self.size))


def encoded(sound, form, rate=RATE, **how):
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=form, **how)
    return file.getvalue()


def arrived(blocks):
    inflow = Inflow()
    return np.concatenate([*(inflow.add(block) for block in blocks), inflow.rest()])


@pytest.mark.parametrize(("form", "rate"), [("WAV", 16000), ("OGG", 44100), ("MP3", 48000)])
def test_what_comes_through_a_pipe_is_what_is_in_the_file(tmp_path, form, rate):
    time_of = np.arange(3 * rate) / rate
    content = encoded(0.3 * np.sin(2 * np.pi * 300 * time_of), form, rate)
    piped = arrived(demuxed_blocks(Trickle(content), "it"))
    path = tmp_path / f"it.{form.lower()}"
    path.write_bytes(content)
    whole = read_audio(path)
    assert abs(len(piped) - len(whole)) < 1500  # mpeg: padding at both ends
    shortest = min(len(piped), len(whole))
    assert form == "MP3" or np.abs(piped[:shortest] - whole[:shortest]).max() < 1e-4


def test_sound_is_given_before_the_stream_has_ended():
    content = encoded(tone(150, 4.0), "WAV", subtype="PCM_16")
    ended = threading.Event()

    class Open(Trickle):
        def read(self, size=-1, /):
            found = super().read(size)
            if not found:
                ended.wait(60)
            return found

    blocks = demuxed_blocks(Open(content), "it")
    heard = 0
    while heard < 3.0 * RATE:
        heard += len(next(blocks)[0])
    assert not ended.is_set()
    ended.set()
    list(blocks)


@pytest.mark.parametrize("form", ["s16le:16000", "s32le:8000:2", "f32le:48000"])
def test_raw_samples_are_read_as_they_are_whatever_the_pieces(form):
    wanted = RawFormat.parse(form)
    kind, full = {"s16le": ("<i2", 2**15), "s32le": ("<i4", 2**31), "f32le": ("<f4", 1)}[
        wanted.kind
    ]
    values = np.array([[0.5] * wanted.channels, [-0.25] * wanted.channels] * 900)
    content = (values * full).astype(kind).tobytes() + b"\x01"  # ends within a sample
    found = list(raw_blocks(Trickle(content, 333), wanted))
    assert np.allclose(np.concatenate([samples for samples, _ in found]), values, atol=1e-4)
    assert {rate for _, rate in found} == {wanted.rate}


@pytest.mark.parametrize(
    "wrong", ["s16le", "s16le:", "u8:16000", "s16le:0", "s16le:16000:0", "x:1:2:3"]
)
def test_raw_formats_that_nobody_knows_are_refused(wrong):
    with pytest.raises(ValueError, match="raw format"):
        RawFormat.parse(wrong)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"#EXTM3U\nfile:///etc/passwd\n" * 50])
def test_what_is_no_sound_is_refused(content):
    with pytest.raises(AudioError, match="cannot be read"):
        list(demuxed_blocks(Trickle(content), "standard input"))


def test_a_stream_that_is_cut_off_gives_what_came():
    content = encoded(tone(150, 2.0), "WAV", subtype="PCM_16")[:-10_001]
    assert 1.5 * RATE < len(arrived(demuxed_blocks(Trickle(content), "it"))) < 2 * RATE


def test_a_file_is_followed_while_it_grows(tmp_path):
    path = tmp_path / "it.raw"
    path.write_bytes(b"\x00\x01" * 400)

    def grow():
        for _ in range(3):
            time.sleep(0.2)
            with path.open("ab") as file:
                file.write(b"\x00\x01" * 400)

    writer = threading.Thread(target=grow)
    with path.open("rb") as file:
        writer.start()
        blocks = raw_blocks(GrowingFile(file, idle=5.0), RawFormat("s16le", RATE))
        assert sum(len(samples) for samples, _ in blocks) == 1600
    writer.join()


def test_a_wav_file_that_grows_is_longer_than_its_header_says(tmp_path):
    path = tmp_path / "it.wav"
    path.write_bytes(encoded(tone(150, 1.0), "WAV", subtype="PCM_16"))
    with path.open("ab") as file:
        file.write(bytes(2 * 2 * RATE))
    with path.open("rb") as file:
        assert len(arrived(demuxed_blocks(GrowingFile(file, idle=0.0), "it"))) == 3 * RATE


def test_a_whole_file_may_have_its_table_at_the_end_and_a_pipe_may_not(tmp_path):
    path = tmp_path / "it.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for start in range(0, RATE, 1024):
            samples = tone(150, 2.0)[None, start : start + 1024].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file = open_source(str(path), False, 1.0, io.BytesIO())
    assert len(arrived(demuxed_blocks(file, "it"))) == pytest.approx(RATE, abs=2048)
    with pytest.raises(AudioError, match="MP4 can be read from a whole file only"):
        list(demuxed_blocks(Trickle(path.read_bytes()), "it"))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for place, words in ((tmp_path / "no.wav", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(AudioError, match=words):
            open_source(str(place), False, 1.0, io.BytesIO())


def test_a_device_is_read_like_a_stream():
    blocks = microphone_blocks("lavfi:sine=frequency=300:sample_rate=44100:duration=1")
    assert len(arrived(blocks)) == pytest.approx(RATE, abs=200)


def test_a_device_that_goes_away_is_no_device_that_was_not_found(monkeypatch):
    def gone(container):
        yield np.zeros((80, 1), np.float32), 8000
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(sound, "_decoded", gone)
    blocks = microphone_blocks("lavfi:sine=duration=1")
    assert next(blocks)[1] == 8000
    with pytest.raises(AudioError, match=r"gives no more sound \(No such device\)"):
        next(blocks)


def test_alsa_is_shown_the_files_of_the_system(monkeypatch, tmp_path):
    """The wheels of PyAV look for them in a folder of their makers."""
    (tmp_path / "alsa").touch()
    monkeypatch.setattr(
        sound,
        "_ALSA",
        {"ALSA_CONFIG_DIR": (str(tmp_path / "no"), str(tmp_path / "alsa"))},
    )
    monkeypatch.setenv("ALSA_CONFIG_DIR", "")  # put back afterwards
    monkeypatch.delenv("ALSA_CONFIG_DIR")
    with pytest.raises(ValueError, match="no microphone"):
        list(microphone_blocks("alsa:hw:99"))
    assert os.environ["ALSA_CONFIG_DIR"] == str(tmp_path / "alsa")


def test_where_no_microphone_is_found_a_way_out_is_named():
    with pytest.raises(ValueError, match=r"no microphone can be opened .* parec"):
        list(microphone_blocks("alsa:hw:99"))


def test_resampling_has_no_seams():
    sound = np.sin(np.arange(48_000) * 0.05).astype(np.float32)[:, None]
    parts = [(piece, 48_000) for piece in np.array_split(sound, 37)]
    assert np.array_equal(arrived(parts), arrived([(sound, 48_000)])) or np.allclose(
        arrived(parts), arrived([(sound, 48_000)]), atol=1e-6
    )


def test_a_change_of_rate_and_broken_samples_are_survived_and_counted():
    inflow = Inflow()
    first = inflow.add((np.full((1600, 1), np.nan, np.float32), 16_000))
    second = inflow.add((np.ones((4800, 2), np.float32), 48_000))
    rest = inflow.rest()
    assert not first.any() and len(first) == 1600
    assert len(second) + len(rest) == pytest.approx(1600, abs=2)
    assert (inflow.not_finite, inflow.changes) == (1600, 1)


def test_an_impossible_rate_is_refused():
    with pytest.raises(ValueError, match="rate 5: give samples a second"):
        Inflow().add((np.zeros((10, 1), np.float32), 5))


def test_what_waits_is_bounded_and_known(monkeypatch):
    monkeypatch.setattr(backlog, "MOST", 2.0)
    made = []

    def blocks():
        for number in range(10):
            made.append(number)
            yield np.zeros((8000, 1), np.float32), 8000

    arrivals = iter(Backlog(blocks()))
    first = next(arrivals)
    time.sleep(0.5)
    assert first.block is not None and len(made) <= 5
    rest = list(arrivals)
    assert len(rest) == 9 and max(each.waiting_seconds for each in rest) <= 2.0


def test_a_stream_that_does_not_start_is_said(monkeypatch):
    monkeypatch.setattr(backlog, "QUIET_FOR", 0.05)
    begin = threading.Event()

    def blocks():
        begin.wait(60)
        yield np.zeros((80, 1), np.float32), 8000

    arrivals = iter(Backlog(blocks()))
    assert next(arrivals).block is None
    begin.set()
    assert any(each.block for each in arrivals if each.block)


def test_what_the_reader_cannot_read_is_raised_where_it_is_judged():
    def blocks():
        yield np.zeros((80, 1), np.float32), 8000
        raise AudioError("it", "is broken")

    with pytest.raises(AudioError, match="is broken"):
        list(Backlog(blocks()))
