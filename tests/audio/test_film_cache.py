"""The sound of a film is decoded once, and again when the film changes."""

import os

import av
import numpy as np
import pytest

from amsdf.audio import film_cache
from amsdf.audio.film_cache import read_clip
from amsdf.audio.reading import AudioError, read_audio


def film(path, pitch: float):
    """An mp4 with an AAC sound track."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        time = np.arange(16000, dtype=np.float32) / 16000
        wave = (0.3 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def test_a_film_is_decoded_once(tmp_path, monkeypatch):
    monkeypatch.setenv("AMSDF_CACHE", str(tmp_path / "cache"))
    path = film(tmp_path / "a.mp4", 200)
    decoded = []
    monkeypatch.setattr(
        film_cache, "read_audio", lambda p, *times: decoded.append(p) or read_audio(p, *times)
    )
    first, second = read_clip(str(path)), read_clip(str(path))
    assert [str(p).endswith(".mp4") for p in decoded] == [True, False, False]
    assert np.array_equal(first, second)
    assert np.abs(first - read_audio(path)).max() < 1e-6
    assert len(read_clip(str(path), 0.25, 0.75)) == 8000
    os.utime(path, ns=(1, 1))
    read_clip(str(path))
    assert str(decoded[-2]).endswith(".mp4"), "of another time: another film, be it of equal size"
    film(path, 300)
    assert not np.array_equal(read_clip(str(path)), first)


def test_without_a_cache_and_without_a_film(tmp_path, monkeypatch):
    monkeypatch.setenv("AMSDF_CACHE", "off")
    path = film(tmp_path / "a.mp4", 200)
    assert np.array_equal(read_clip(str(path)), read_audio(path))
    with pytest.raises(AudioError, match="no such file"):
        read_clip(str(tmp_path / "b.mp4"))


def test_a_place_that_takes_no_files_stops_nothing(tmp_path, monkeypatch):
    """As in a read-only folder: decoded each time, to the same waveform."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("AMSDF_CACHE", str(tmp_path / "file"))
    path = film(tmp_path / "a.mp4", 200)
    assert np.array_equal(read_clip(str(path), 0.25, 0.75), read_audio(path, 0.25, 0.75))
