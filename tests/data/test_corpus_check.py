"""Corpus checks: counts, unusable clips, duplicates, leakage, shortcuts, written manifests."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from conftest import shared_path

from amsdf.data.audit.clip_measures import bandwidth, is_clipped, leading_silence, measure_clip
from amsdf.data.audit.corpus_check import CheckReport, check_corpora, write_manifest
from amsdf.data.audit.shortcuts import MEASURES, find_shortcuts
from amsdf.data.corpora.corpus import open_corpus
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
        ("nan.wav", "not finite"),
        ("silent.wav", "silent"),
        ("short.wav", "empty"),
        ("loud.wav", "clipped"),
        ("twice.flac", "duplicate"),
        ("twice2.flac", "contradiction"),
        ("good.wav", None),
    ],
)
def test_finding(messy, utt, kind):
    """Trap: nothing is skipped silently; equal sound is found in other containers too."""
    found = messy.findings.filter(pl.col("utt") == utt)["kind"].to_list()
    assert found == ([kind] if kind else [])


def test_report_names_what_is_wrong(messy):
    assert not messy.ok
    assert (messy.num_listed, messy.num_opened) == (12, 11)
    text = messy.to_text()
    assert "messy: 6 bona fide, published 5   <- differs" in text
    assert "messy/train: 3 bona fide\nmessy/train: 2 spoof" in text
    assert "messy/dev: 1 missing, first 'gone.wav'" in text
    assert "messy/train and messy/dev share speakers: 1, e.g. 'c'" in text
    assert "messy/train and messy/dev share sounds: 1, e.g. 'good.wav'" in text
    assert "see the problems above" in text


def test_clean_corpus_is_in_order(tmp_path):
    labels = ["real", "fake"] * 4
    rows = [(f"{i}.wav", word, f"s{i}", "eval", noise(i)) for i, word in enumerate(labels)]
    report = check(make_manifest(tmp_path, "clean", rows), expected={"clean": (4, 4)})
    assert report.ok and "all in order" in report.to_text()
    assert not len(report.findings) and not len(report.leakage)


def test_sample_opens_some_and_looks_for_all(tmp_path):
    labels = ["real", "fake"] * 10
    rows = [(f"{i}.wav", word, "s", "eval", noise(i)) for i, word in enumerate(labels)]
    manifest = make_manifest(tmp_path, "many", [*rows, ("gone.wav", "fake", "s", "eval", None)])
    report = check(manifest, sample=3)
    assert (report.num_listed, report.num_opened) == (21, 6)
    assert report.findings["utt"].to_list() == ["gone.wav"]


def test_leakage_between_corpora(tmp_path):
    """Speakers and utterances that two corpora share; an unknown speaker `-` is no leak."""
    first = make_manifest(tmp_path / "a", "a", [("u.wav", "real", "lj", "x", noise(0))])
    second = make_manifest(
        tmp_path / "b",
        "b",
        [("u.wav", "real", "lj", "y", noise(1)), ("v.wav", "fake", "-", "y", noise(2))],
    )
    report = check(first, second)
    assert report.leakage.select("kind", "example").rows() == [
        ("utterances", "u.wav"),
        ("speakers", "lj"),
    ]
    assert not report.ok


def test_published_counts_are_looked_up(tmp_path):
    (tmp_path / "meta.csv").write_text("file,speaker,label\n0.wav,A,spoof\n1.wav,A,bona-fide\n")
    report = check(open_corpus("itw", {"in-the-wild": tmp_path}))
    assert report.wrong_counts["expected"].to_list() == [19_963, 11_816]
    assert report.findings["kind"].to_list() == ["missing", "missing"]
    assert not len(report.shortcuts)


def test_unlabelled_rows_are_counted(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    report = check(read_manifest(tmp_path, labelled=False))
    assert report.counts.filter(pl.col("kind") == "unlabelled")["found"].to_list() == [1]


def test_shortcut_is_found(tmp_path):
    """Fakes that are longer and begin at once are told apart without listening."""
    pause = np.zeros(RATE // 10)
    real = [np.concatenate([pause, noise(i)]) for i in range(6)]
    rows = [(f"r{i}.wav", "real", "s", "x", wave) for i, wave in enumerate(real)]
    rows += [(f"f{i}.flac", "fake", "s", "x", noise(10 + i, 0.5)) for i in range(6)]
    table = check(make_manifest(tmp_path, "cut", rows)).shortcuts
    found = {row["feature"]: row for row in table.iter_rows(named=True)}
    assert set(found) == set(MEASURES)
    assert found["duration"]["eer"] == found["duration"]["separation"] == 1.0  # real is shorter
    assert found["leading_silence"]["eer"] == 0.0
    assert found["format"]["separation"] == 1.0
    assert (found["format"]["bonafide"], found["format"]["spoof"]) == (".wav", ".flac")
    assert found["leading_silence"]["bonafide"] == "0.1"


def test_constant_feature_separates_nothing():
    """Trap: with ties walked bona fide first, a constant would get EER 1 and look perfect."""
    clips = pl.DataFrame(
        {"label": [1, 1, 0, 0, 0], "format": [".wav"] * 5}
        | {name: [8000.0] * 5 for name in MEASURES if name != "format"}
    )
    assert find_shortcuts(clips)["separation"].to_list() == [0.5] * len(MEASURES)


def test_measures_of_one_clip(tmp_path):
    time = np.arange(2 * RATE) / RATE
    wave = np.where(time < 0.5, 0, 0.5 * np.sin(2 * np.pi * 1000 * time))
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    clip = measure_clip(str(tmp_path / "a.wav"))
    assert clip.problem == "" and not clip.clipped
    assert (clip.duration, clip.sample_rate, clip.format) == (2.0, 8000.0, ".wav")
    assert clip.leading_silence == pytest.approx(0.5, abs=0.011)
    assert clip.level == pytest.approx(10 * np.log10(0.75 * 0.125), abs=0.01)
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
    assert not is_clipped(wave)
    wave[40:43, 1] = -1.0
    assert is_clipped(wave)
    assert not is_clipped(wave[:2])


def test_leading_silence_of_sound_from_the_start():
    assert leading_silence(noise(4), RATE) == 0.0


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv"])
def test_written_manifest_reads_back(suffix, tmp_path):
    """Hard ids survive; files below the manifest are named relative to it."""
    rows = [("a b,c.wav", "real", 'the "x"', "train", None), ("d.wav", "fake", "-", "dev", None)]
    manifest = make_manifest(tmp_path / "audio", "mine", rows)
    path = tmp_path / f"mine{suffix}"
    write_manifest(manifest, path)
    again = read_manifest(path)
    assert again.table.select(manifest.table.columns).equals(manifest.table)
    raw = pl.read_parquet(path) if suffix == ".parquet" else None
    assert raw is None or raw["path"][0] == "audio/a b,c.wav"


def test_written_manifest_without_labels(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    write_manifest(read_manifest(tmp_path, labelled=False), tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv", labelled=False).count(1) == 0
    with pytest.raises(ValueError, match=r"a manifest is written as \.parquet"):
        write_manifest(read_manifest(tmp_path, labelled=False), tmp_path / "m.xlsx")


def test_shared_corpora():
    """Real speech: speaker-disjoint splits, no clip repeated, two demo pages that share a voice."""
    names = ("fsdd_vocoded", "hifigan_demo", "ljspeech_mini")
    manifests = [read_manifest(shared_path("corpora", name)) for name in names]
    report = check(*manifests, sample=15)
    unusable = report.findings.filter(~pl.col("kind").is_in(["clipped", "duplicate"]))
    assert not len(unusable), unusable
    shared = report.leakage.filter(pl.col("kind") == "speakers")
    assert shared.select("first", "second").rows() == [("hifigan_demo", "ljspeech_mini")]
    assert set(report.shortcuts["part"]) == {
        *(f"fsdd_vocoded/{split}" for split in ("train", "dev", "eval")),
        "hifigan_demo",
    }
