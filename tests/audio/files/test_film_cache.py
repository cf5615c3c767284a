"""The sound of a film is decoded once, and again when the film changes."""

import os

import av
import numpy as np
import pytest
from sound_files import cut_off, encode

from amsdf.audio.files import film_cache
from amsdf.audio.files.film_cache import read_clip
from amsdf.audio.files.reading import AudioError, read_audio, stream_audio


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
        film_cache, "stream_audio", lambda film: decoded.append(film) or stream_audio(film)
    )
    first, second = read_clip(str(path)), read_clip(str(path))
    assert decoded == [path]
    assert np.array_equal(first, second)
    assert np.abs(first - read_audio(path)).max() < 1e-6
    assert len(read_clip(str(path), 0.25, 0.75)) == 8000
    os.utime(path, ns=(1, 1))
    read_clip(str(path))
    assert decoded == [path, path], "of another time: another film, be it of equal size"
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


def test_an_aac_is_decoded_once_for_all_its_parts(tmp_path, monkeypatch):
    """Whole it is read as it is; parts come from a track that holds the same samples."""
    monkeypatch.setenv("AMSDF_CACHE", str(tmp_path / "cache"))
    path = film(tmp_path / "a.aac", 200)
    whole = read_audio(path)
    assert np.array_equal(read_clip(str(path)), whole)
    assert np.array_equal(read_clip(str(path), None, 0.5), whole[:8000])
    assert not (tmp_path / "cache").exists()

    part = read_clip(str(path), 0.25, 0.75)
    assert np.abs(part - whole[4000:12_000]).max() <= 2**-23
    assert len(list((tmp_path / "cache" / "sound").iterdir())) == 1


def test_of_a_file_that_is_cut_off_what_is_there_is_read_and_no_track_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("AMSDF_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "a.mka"
    wave = 0.1 * np.random.default_rng(0).standard_normal((1, 64_000)).astype(np.float32)
    encode(path, "aac", wave, 16_000)
    cut_off(path)
    assert len(read_clip(str(path), 0.5, 1.0)) == 8000
    assert not list((tmp_path / "cache" / "sound").iterdir())
    with pytest.raises(AudioError, match=r"a\.mka: has no samples"):
        read_clip(str(path), 3.5, 4.0)


def test_an_error_names_the_film_and_not_its_track(tmp_path, monkeypatch):
    monkeypatch.setenv("AMSDF_CACHE", str(tmp_path / "cache"))
    path = film(tmp_path / "a.mp4", 200)
    read_clip(str(path))
    with pytest.raises(AudioError, match=r"a\.mp4: has no part from 5\.0 s"):
        read_clip(str(path), 5.0, 6.0)
