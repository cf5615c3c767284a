"""Copies that were changed a little, and clips that only look alike."""

import tarfile
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
from toy_sounds import speech
from toys import tone, write_wav

from amsdf.data.audit.measures.clip_measures import measure_clip
from amsdf.data.audit.measures.fingerprints import alike, correlation, fingerprint, thinned
from amsdf.data.audit.measures.same_sound import find_same

RATE = 16_000


def same(folder, *waves) -> list[tuple]:
    paths = [str(write_wav(folder / f"{i}.wav", wave)) for i, wave in enumerate(waves)]
    rows = [
        {"utt": str(i), "path": path, "part": "p", "label": 1, **asdict(measure_clip(path))}
        for i, path in enumerate(paths)
    ]
    return find_same(pl.DataFrame(rows)).select("utt", "first", "likeness").rows()


def test_other_sentences_of_one_voice_are_not_the_same(tmp_path):
    assert not same(tmp_path, *(speech(2.0, seed=seed, pitch=120) for seed in range(6)))


def test_tones_of_nearly_one_pitch_are_not_the_same(tmp_path):
    assert not same(tmp_path, *(tone(120 + i / 2, 1.0, 0.05, seed=i) for i in range(6)))


@pytest.mark.parametrize("cut", [1, 37, 1600, 12_345])
def test_a_cut_at_any_sample_is_found(tmp_path, cut):
    wave = 0.5 * speech(3.0, seed=3)
    ((utt, first, likeness),) = same(tmp_path, wave, speech(3.0, seed=4), wave[cut:])
    assert (utt, first) == ("2", "0") and likeness > 0.95


def test_equal_samples_are_exactly_alike(tmp_path):
    wave = 0.5 * speech(1.0, seed=3)
    assert same(tmp_path, wave, wave) == [("1", "0", 1.0)]


def test_a_part_of_a_recording_is_listened_to(tmp_path):
    """Two parts of one file differ; a part and its copy do not."""
    path = str(write_wav(tmp_path / "long.wav", 0.5 * speech(4.0, seed=5)))
    rows = []
    for utt, start, end in (("a", 0.0, 2.0), ("b", 2.0, 4.0), ("c", 0.1, 2.0)):
        clip = asdict(measure_clip(path, start, end))
        rows.append({"utt": utt, "path": path, "part": "p", "label": 1, "start": start, **clip})
    assert find_same(pl.DataFrame(rows)).select("utt", "first").rows() == [("c", "a")]


def test_clips_in_a_shard_are_listened_to(tmp_path):
    """An archive of recordings: measured, and compared, without unpacking."""
    wave = 0.5 * speech(1.5, seed=5)
    with tarfile.open(tmp_path / "train-000000.tar", "w") as archive:
        for name, sound in (("a.wav", wave), ("b.wav", 0.9 * wave[500:])):
            archive.add(write_wav(tmp_path / name, sound), name)
    rows = []
    for utt in ("a.wav", "b.wav"):
        path = str(tmp_path / "train-000000.tar" / utt)
        clip = measure_clip(path)
        assert (clip.problem, clip.format) == ("", ".wav PCM_16")
        rows.append({"utt": utt, "path": path, "part": "p", "label": 1, **asdict(clip)})
    assert find_same(pl.DataFrame(rows)).select("utt", "first").rows() == [("b.wav", "a.wav")]
    assert measure_clip(str(tmp_path / "train-000000.tar/c.wav")).problem == "missing"


def test_quiet_frames_have_no_hash():
    wave = np.append(speech(1.0), np.zeros(RATE))
    places = np.frombuffer(fingerprint(wave, RATE), "<u4").reshape(-1, 2)[:, 0]
    assert len(places) > 30 and places.max() < 75


def test_a_share_of_the_hashes_is_enough():
    """Of a large corpus, of which no more are kept; quieter and cut."""
    waves = [0.5 * speech(3.0, seed=seed) for seed in range(8)]
    prints = [fingerprint(wave, RATE) for wave in [*waves, 0.5 * waves[5][1600:]]]
    kept = [thinned(given, 4) for given in prints]
    assert sum(map(len, kept)) < sum(map(len, prints)) / 3
    assert (5, 8) in alike(kept) and len(alike(kept)) <= 2


def test_correlation_ignores_level_and_sign_and_needs_an_overlap():
    wave = np.random.default_rng(0).standard_normal(2000)
    assert correlation(wave, -0.1 * wave[300:]) == pytest.approx(1.0)
    assert correlation(wave, np.random.default_rng(1).standard_normal(2000)) < 0.2
    assert correlation(wave[:1000], wave[800:]) < 0.2
    assert correlation(wave, np.zeros(2000)) == 0.0


def test_nothing_is_alike_to_nothing():
    assert alike([]) == alike([None, b""]) == []
