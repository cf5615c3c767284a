"""Broken, hostile and strange files: named in one line, in bounded memory, no other file opened."""

import re
import struct
import tracemalloc
from io import BytesIO

import av
import numpy as np
import pytest
import soundfile
from sound_files import cut_off, encode
from toys import tone

from amsdf.audio import AudioError, read_audio, stream_audio
from amsdf.audio.files import decoding
from amsdf.audio.files.announced import what_is_missing
from amsdf.audio.files.recording import Recording
from amsdf.data.audit.measures.clip_measures import measure_clip

FASTSTART = {"movflags": "faststart"}
#: name, codec (None: as soundfile writes it), rate, options, what is said
CUT = [
    ("a.wav", None, 16_000, {}, "it announces 4.0 s, 2.4 s are there"),
    ("a.aiff", None, 16_000, {}, "it announces 4.0 s, 2.4 s are there"),
    ("a.au", None, 16_000, {}, "it announces 4.0 s, 2.4 s are there"),
    ("a.caf", None, 16_000, {}, "it announces 4.0 s, 2.3 s are there"),
    ("a.flac", None, 16_000, {}, r"can be decoded"),
    ("a.ogg", None, 16_000, {}, "the mark at its end is missing"),
    ("a.mp3", None, 16_000, {}, r"it announces 4.\d s, 2.\d s are there"),
    ("b.mp3", "libmp3lame", 44_100, {}, r"it announces 4.\d s, 2.\d s are there"),
    ("a.opus", "libopus", 48_000, {}, "the mark at its end is missing"),
    ("a.m4a", "aac", 44_100, FASTSTART, r"announces 4.0 s, 2.\d s are there|can be decoded"),
    ("a.mka", "aac", 44_100, {}, "it announces 4.0 s, 2.4 s are there"),
    ("a.aac", "aac", 44_100, {}, "or damaged: 2.4 s of it can be decoded"),
]


def written(path, codec=None, rate=16_000, options=None):
    sound = np.tile(tone(120, 1.0), 4) + 0.01 * np.random.default_rng(0).standard_normal(64_000)
    wave = np.interp(np.arange(4 * rate) / rate, np.arange(64_000) / 16_000, sound)
    if codec is None:
        soundfile.write(path, wave, rate)
    else:
        encode(path, codec, wave[None].astype(np.float32), rate, options=options)
    return path


@pytest.mark.parametrize("case", CUT, ids=lambda case: case[0])
def test_a_file_that_is_cut_off_says_so(tmp_path, case):
    """A stream gives what is there and says what is not; a corpus does not take the file."""
    name, codec, rate, options, says = case
    path = written(tmp_path / name, codec, rate, options)
    stream = stream_audio(path)
    whole = sum(map(len, stream))
    assert abs(whole - 64_000) < 3000 and stream.cut_off == ""
    assert measure_clip(str(path)).problem == ""

    cut_off(path)
    for source in (path, path.read_bytes()):
        stream = stream_audio(source)
        there = sum(map(len, stream))
        assert 0.4 * whole < there < 0.7 * whole
        assert re.search(says, stream.cut_off), stream.cut_off
        with pytest.raises(AudioError, match=r"is cut off.*; copy or download it again"):
            read_audio(source)
    check = measure_clip(str(path))
    assert check.problem == "unreadable" and check.detail == stream.cut_off
    assert len(read_audio(path, 0.5, 1.0)) == 8000, "a part of what is there is whole"


@pytest.mark.parametrize("name", ["a.mka", "a.m4a", "a.mp4"])
def test_a_track_with_a_gap_is_whole(tmp_path, name):
    """A recorder that pauses, or sends nothing in silence: fewer samples than seconds."""
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        for start in (0, 64_000):
            for at in range(0, 32_768, 1024):
                sound = tone(120, 4.0)[at : at + 1024].astype(np.float32)[None]
                frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 16_000, start + at
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    stream = stream_audio(path)
    assert abs(sum(map(len, stream)) - 65_536) < 4000 and stream.cut_off == ""


def test_a_wav_from_a_pipe_is_whole(tmp_path):
    """Its writer did not know the length: 0xFFFFFFFF, or the largest that fits."""
    data = bytearray(written(tmp_path / "a.wav").read_bytes())
    for size in (0xFFFFFFFF, 0x7FFFF000):
        data[40:44] = struct.pack("<I", size)
        assert len(read_audio(bytes(data))) == 64_000


@pytest.mark.parametrize("suffix", ["wav", "aiff", "caf"])
def test_a_chunk_that_announces_the_end_of_the_world_is_not_followed(tmp_path, suffix):
    """Its size leads behind the end of every file system."""
    data = bytearray(written(tmp_path / f"a.{suffix}").read_bytes())
    data[20:60] = b"\xfe" * 40
    _read_or_refuse(bytes(data))
    assert what_is_missing(BytesIO(bytes(data)), 4.0) == ""


def test_an_m4a_cut_before_its_table_is_refused_by_name(tmp_path):
    path = written(tmp_path / "a.m4a", "aac", 44_100)
    cut_off(path)
    with pytest.raises(AudioError, match=r"a\.m4a: cannot be decoded"):
        read_audio(path)


@pytest.mark.parametrize("codec", [("a.m4a", "aac"), ("a.mp3", "libmp3lame"), ("a.ogg", None)])
def test_bytes_lost_anywhere_raise_nothing_but_an_audio_error(tmp_path, codec):
    """Whatever decoders raise: AttributeError, MemoryError, their own."""
    name, coder = codec
    data = written(tmp_path / name, coder, 44_100, FASTSTART if coder == "aac" else None)
    content = data.read_bytes()
    rng = np.random.default_rng(1)
    for keep in rng.integers(1, min(len(content), 9000), 40):
        _read_or_refuse(content[:keep])
    for _ in range(40):
        broken = bytearray(content)
        for at in rng.integers(0, 4000, 30):
            broken[at] = rng.integers(256)
        _read_or_refuse(bytes(broken))


def _refuse(*_args, **_kwargs):
    raise soundfile.LibsndfileError(0)


def _read_or_refuse(content):
    try:
        assert np.isfinite(read_audio(content)).all()
    except AudioError as error:
        assert "the recording: " in str(error)


def test_whatever_a_decoder_raises_is_the_files_failure(tmp_path, monkeypatch):
    path = written(tmp_path / "a.wav")

    def fail(*_args, **_kwargs):
        raise MemoryError("8.96 TiB")

    monkeypatch.setattr(soundfile, "SoundFile", fail)
    monkeypatch.setattr(decoding, "_frames", fail)
    with pytest.raises(AudioError, match=r"a\.wav: cannot be decoded \(8\.96 TiB\)"):
        read_audio(path)


@pytest.mark.parametrize("rate", [1, 999, 10_000_000])
def test_a_rate_that_no_speech_has_is_refused(tmp_path, rate):
    """32 kB at 1 Hz are four hours; as 16 kHz they would take 1 GB."""
    soundfile.write(tmp_path / "a.wav", tone(100), rate)
    tracemalloc.start()
    with pytest.raises(AudioError, match=f"a.wav: is sampled at {rate} Hz; rates from 1000"):
        read_audio(tmp_path / "a.wav")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


@pytest.mark.parametrize("rate", [1000, 384_000, 1_000_000])
def test_the_outermost_rates_are_read(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.resize(tone(100), rate), rate)
    assert abs(len(read_audio(tmp_path / "a.wav")) - 16_000) <= 1


@pytest.mark.parametrize("refuses", [False, True])
def test_sixty_four_channels_are_averaged(tmp_path, monkeypatch, refuses):
    """By both decoders."""
    wave = np.tile(tone(100)[:, None], (1, 64)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    if refuses:
        monkeypatch.setattr(soundfile, "SoundFile", _refuse)
    assert np.allclose(read_audio(tmp_path / "a.wav"), tone(100), atol=1e-6)


def test_a_header_that_lies_about_its_length_takes_no_memory(tmp_path):
    """The number of samples in a FLAC header, of which none but the first are there."""
    data = bytearray(written(tmp_path / "a.flac").read_bytes())
    data[21:26] = bytes([data[21] & 0xF0 | 0x0F, 255, 255, 255, 255])
    tracemalloc.start()
    stream = stream_audio(bytes(data))
    there = sum(map(len, stream))
    assert there <= 64_000 and stream.cut_off
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile '{name}'\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{name}\n#EXT-X-ENDLIST\n",
    "absolute m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:{path}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet mimeType='audio/mp4'><Representation id='1' bandwidth='1'>"
    "<BaseURL>{name}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "pls": "[playlist]\nFile1={path}\nNumberOfEntries=1\n",
    "image list": "{path}\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("suffix", [".wav", ".ffconcat", ".m3u8", ".sdp", ".mpd", ".raw"])
def test_a_list_of_files_opens_none_of_them(tmp_path, kind, suffix):
    """A text that is called a recording must not show what other files hold."""
    secret = written(tmp_path / "secret.wav")
    given = tmp_path / f"list{suffix}"
    given.write_text(PLAYLISTS[kind].format(name=secret.name, path=secret))
    for source in (given, given.read_bytes()):
        with pytest.raises(AudioError, match="cannot be decoded"):
            read_audio(source)


def test_a_file_name_is_no_address(tmp_path, monkeypatch):
    """FFmpeg takes `concat:a|b` and `http://…` for instructions; here they are names of files."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "secret.wav")
    for name in ("concat:secret.wav|secret.wav", "subfile,,start,0,end,0,,:secret.wav"):
        (tmp_path / name).write_bytes(b"no sound")
        with pytest.raises(AudioError, match="cannot be decoded"):
            read_audio(name)
    written(tmp_path / "a.m4a", "aac", 44_100).rename(tmp_path / "data:a.m4a")
    assert abs(len(read_audio("data:a.m4a")) - 64_000) < 3000


def test_what_a_recording_lacks_is_known_at_its_end(tmp_path):
    path = written(tmp_path / "a.wav")
    cut_off(path)
    recording = Recording(path)
    blocks = recording.blocks()
    next(blocks)
    assert recording.cut_off == ""
    assert not list(blocks) and recording.cut_off.startswith("is cut off: it announces")
