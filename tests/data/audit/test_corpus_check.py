"""Corpus checks: counts, unusable clips, duplicates, leakage, shortcuts."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from kept_files import shared_path

from amsdf.data.audit.clip_findings import UNUSABLE
from amsdf.data.audit.corpus_check import CheckReport, check_corpora
from amsdf.data.audit.measures.clip_measures import (
    FLOOR_DB,
    bandwidth,
    count_clipped,
    leading_silence,
    longest_gap,
    measure_clip,
)
from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.manifest import Manifest, build_manifest, read_manifest

RATE = 8_000


def noise(seed: int, seconds: float = 0.2) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))


def make_manifest(folder: Path, name: str, rows: list[tuple]) -> Manifest:
    """Rows (file, label, speaker, split, waveform or None or bytes)."""
    folder.mkdir(exist_ok=True)
    for file, _, _, _, sound in rows:
        if isinstance(sound, bytes):
            (folder / file).write_bytes(sound)
        elif sound is not None:
            soundfile.write(
                folder / file, sound, RATE, subtype="PCM_16" if ".f" in file else "FLOAT"
            )
    columns = {
        "utt": [row[0] for row in rows],
        "path": [str(folder / row[0]) for row in rows],
        "label": [row[1] for row in rows],
        "speaker": [row[2] for row in rows],
        "split": [row[3] for row in rows],
    }
    return build_manifest(name, pl.DataFrame(columns))


def check(*manifests: Manifest, **options) -> CheckReport:
    return check_corpora(manifests, progress=False, **options)


@pytest.fixture
def messy(tmp_path) -> CheckReport:
    full_scale = np.sign(np.sin(np.arange(1600) / 20)) * 1.0
    broken = noise(9)
    broken[7] = np.nan
    twice = np.round(noise(1) * 32_767) / 32_767
    rows = [
        ("good.wav", "real", "a", "train", noise(0)),
        ("twice.wav", "real", "a", "train", twice),
        ("twice.flac", "real", "b", "train", twice),
        ("twice2.flac", "fake", "b", "train", twice),
        ("loud.wav", "fake", "c", "train", full_scale),
        ("gone.wav", "fake", "c", "dev", None),
        ("text.wav", "fake", "-", "dev", b"this is no sound"),
        ("zero.wav", "fake", "-", "dev", b""),
        ("nan.wav", "fake", "c", "dev", broken),
        ("silent.wav", "real", "d", "dev", np.zeros(1600)),
        ("short.wav", "real", "d", "dev", np.zeros(0)),
        ("leak.wav", "real", "d", "dev", noise(0)),
    ]
    return check(make_manifest(tmp_path / "messy", "messy", rows), expected={"messy": (5, 7)})


@pytest.mark.parametrize(
    ("utt", "kind"),
    [
        ("gone.wav", "missing"),
        ("text.wav", "unreadable"),
        ("zero.wav", "unreadable"),
        ("nan.wav", "not-finite"),
        ("silent.wav", "silent"),
        ("short.wav", "empty"),
        ("loud.wav", "clipped"),
        ("twice.flac", "duplicate"),
        ("twice2.flac", "contradiction"),
        ("leak.wav", "shared-sound"),
        ("good.wav", None),
    ],
)
def test_finding(messy, utt, kind):
    """Trap: nothing is skipped silently; equal sound is found in other containers too."""
    found = [finding.kind for finding in messy.findings if utt in finding.utts]
    assert found == ([kind] if kind else [])


def test_report_names_what_is_wrong(messy):
    assert messy.verdict == "problems"
    assert (messy.num_listed, messy.num_opened) == (12, 11)
    text = " ".join(messy.to_text().split())
    assert "messy: 6 real, 6 fake (published: 5 and 7)" in text
    assert "messy: has 6 real clips where 5 were published. Is the download complete" in text
    assert "messy/train: 3 real, 2 fake messy/dev: 3 real, 4 fake" in text
    assert "messy/dev: 1 clip is missing: 'gone.wav'. Copy the files, or drop their rows." in text
    assert "messy/dev: 2 clips cannot be read: 'text.wav', 'zero.wav' (the first " in text
    assert "messy/dev: shares 1 speaker with messy/train: 'c'." in text
    assert "messy/dev: shares 1 recording with messy/train: 'leak.wav' = 'good.wav'." in text
    assert "messy/train: 1 clip is clipped" in text and text.index("NOTES") > 0
    assert "VERDICT: problems (" in text


def test_a_small_corpus_without_faults_is_good(tmp_path):
    labels = ["real", "fake"] * 4
    rows = [(f"{i}.wav", word, f"s{i}", "eval", noise(i)) for i, word in enumerate(labels)]
    report = check(make_manifest(tmp_path, "clean", rows), expected={"clean": (4, 4)})
    assert report.verdict == "good" and "VERDICT: good. No fault was found." in report.to_text()
    assert "clean: 4 real, 4 fake: too few to say, it takes 10 of each." in report.to_text()


def test_sample_opens_some_and_looks_for_all(tmp_path):
    labels = ["real", "fake"] * 10
    rows = [(f"{i}.wav", word, "s", "eval", noise(i)) for i, word in enumerate(labels)]
    manifest = make_manifest(tmp_path, "many", [*rows, ("gone.wav", "fake", "s", "eval", None)])
    report = check(manifest, sample=3)
    assert (report.num_listed, report.num_opened) == (21, 6)
    assert [finding.utts for finding in report.findings] == [("gone.wav",)]


def test_several_corpora_may_share_speakers_but_no_sound(tmp_path):
    """An unknown speaker `-` is no one; ids of two corpora have nothing to do with another."""
    first = [("u.wav", "real", "LJ", "x", noise(0)), ("w.wav", "fake", "-", "x", noise(3))]
    second = [("u.wav", "real", "lj", "y", noise(1)), ("v.wav", "fake", "-", "y", noise(2))]
    report = check(
        make_manifest(tmp_path / "a", "a", first), make_manifest(tmp_path / "b", "b", second)
    )
    assert [finding.kind for finding in report.findings] == ["speaker-in-corpora"]
    assert report.verdict == "usable" and "'LJ' (a, b)" in report.to_text()
    assert "VERDICT: usable, but mind the 1 note above." in report.to_text()
    shared = make_manifest(tmp_path / "c", "c", [("z.wav", "fake", "-", "y", noise(3)), *second])
    report = check(make_manifest(tmp_path / "a", "a", first), shared)
    assert [finding.kind for finding in report.problems] == ["shared-sound"]


def test_manifests_named_after_splits_are_splits(tmp_path):
    rows = [("u.wav", "real", "lj", "x", noise(0)), ("w.wav", "fake", "ma", "x", noise(3))]
    other = [("u.wav", "real", "Lj", "x", noise(1)), ("v.wav", "fake", "mo", "x", noise(2))]
    report = check(
        make_manifest(tmp_path / "a", "train", rows), make_manifest(tmp_path / "b", "test", other)
    )
    assert {finding.kind for finding in report.problems} == {"shared-id", "shared-speaker"}


@pytest.mark.parametrize(("split", "verdict"), [("progress", "usable"), ("train", "problems")])
def test_parts_that_only_test_may_share_speakers(tmp_path, split, verdict):
    """As the progress and evaluation parts of ASVspoof 2021 do."""
    rows = [
        (f"{part}{i}.wav", ("real", "fake")[i], "lj", part, noise(10 * (part == split) + i))
        for part in ("eval", split)
        for i in (0, 1)
    ]
    report = check(make_manifest(tmp_path, "parts", rows))
    assert [finding.kind for finding in report.findings] == ["shared-speaker"]
    assert report.verdict == verdict


def test_published_counts_are_looked_up(tmp_path):
    (tmp_path / "meta.csv").write_text("file,speaker,label\n0.wav,A,spoof\n1.wav,A,bona-fide\n")
    (tmp_path / "0.wav").write_bytes(b"")
    report = check(open_corpus("itw", {"in-the-wild": tmp_path}))
    assert report.counts["expected"].to_list() == [19_963, 11_816]
    kinds = [finding.kind for finding in report.findings]
    assert kinds == ["count", "count", "missing", "unreadable"]
    assert "has 1 fake clips where 11,816 were published" in report.to_text()


def test_clips_without_labels_are_counted(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    report = check(read_manifest(tmp_path, labelled=False))
    assert [finding.kind for finding in report.problems] == ["unlabelled", "unreadable"]


def test_measures_of_one_clip(tmp_path):
    time = np.arange(2 * RATE) / RATE
    wave = np.where(time < 0.5, 0, 0.5 * np.sin(2 * np.pi * 1000 * time))
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    clip = measure_clip(str(tmp_path / "a.wav"))
    assert clip.problem == "" and clip.clipped_share == 0.0 and clip.zero_gap <= 1 / RATE
    assert clip.dc_offset == pytest.approx(0.0, abs=1e-5) and clip.channels == 1
    assert (clip.duration, clip.sample_rate, clip.format) == (2.0, 8000.0, ".wav PCM_16")
    assert clip.trailing_silence == 0.0 and clip.noise_floor == FLOOR_DB
    assert clip.leading_silence == pytest.approx(0.5, abs=0.011)
    assert clip.level == pytest.approx(10 * np.log10(0.75 * 0.125), abs=0.01)
    assert clip.zero_share == pytest.approx(0.25 + 0.75 / 4, abs=0.01)
    part = measure_clip(str(tmp_path / "a.wav"), start=1.0, end=1.5)
    assert (part.duration, part.leading_silence) == (0.5, 0.0)
    assert part.content != clip.content


def test_bandwidth_sees_a_low_pass():
    """Upsampled speech has nothing above its old band."""
    spectrum = np.fft.rfft(noise(3, 2.0))
    spectrum[len(spectrum) // 2 :] = 0
    assert bandwidth(noise(3, 2.0), RATE) > 0.98 * RATE / 2
    assert bandwidth(np.fft.irfft(spectrum), RATE) == pytest.approx(RATE / 4, rel=0.05)
    assert bandwidth(noise(3)[:10], RATE) > 0


def test_clipping_needs_a_run_at_full_scale():
    wave = np.zeros((100, 2))
    wave[[10, 20, 30], 1] = 1.0
    assert count_clipped(wave) == 0
    wave[40:44, 1] = -1.0
    assert count_clipped(wave) == 2
    assert count_clipped(wave[:2]) == 0


def test_a_gap_has_sound_on_both_sides():
    wave = np.r_[np.zeros(50), noise(5)[:100], np.zeros(30), noise(6)[:100], np.zeros(70)]
    assert longest_gap(wave) == 30
    assert longest_gap(np.zeros(9)) == 0


def test_the_end_of_a_long_recording_is_listened_to(tmp_path, monkeypatch):
    """Of more than is kept in memory, too."""
    monkeypatch.setattr("amsdf.data.audit.measures.clip_measures._LISTENED", RATE)
    sound = np.concatenate([noise(8, 40.0), np.zeros(RATE // 2)])
    soundfile.write(tmp_path / "long.wav", sound, RATE)
    clip = measure_clip(str(tmp_path / "long.wav"))
    assert (clip.duration, clip.trailing_silence) == (40.5, 0.5)


def test_leading_silence_of_sound_from_the_start():
    assert leading_silence(noise(4), RATE) == 0.0


def test_shared_corpora():
    """Real speech: nothing unusable, one speaker's zeros, two demo pages that share a voice."""
    names = ("fsdd_vocoded", "hifigan_demo", "ljspeech_mini")
    manifests = [read_manifest(shared_path("corpora", name)) for name in names]
    report = check(*manifests, sample=15)
    found = {(finding.part, finding.kind): finding for finding in report.findings}
    assert not {kind for _, kind in found} & {kind.replace(" ", "-") for kind in UNUSABLE}
    assert "'lj' (hifigan_demo, ljspeech_mini)" in found["all together", "speaker-in-corpora"].text
    assert found["fsdd_vocoded/dev", "shortcut-zero-share"].serious
    assert not found["ljspeech_mini", "one-class"].serious
    assert [baseline.name for baseline in report.baselines] == [*names, "all together"]
