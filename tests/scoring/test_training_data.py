"""What a detector was trained on is known again: by content, speaker, corpus, or by name alone."""

import json
import shutil
import tarfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import SMALL, amsdf, toy_detector
from kept_files import shared_path
from toys import plan, toy_corpus, toy_experiment, toy_manifest

from amsdf.data.manifest import Manifest, join_manifests, read_manifest
from amsdf.detector.storage.loading import find_detector
from amsdf.scoring import overlap_of
from amsdf.scoring.calibration.calibrated_training import train_and_calibrate
from amsdf.scoring.calibration.calibration import read_calibration
from amsdf.scoring.score_files.table import read_scores, write_scores
from amsdf.scoring.training_data import FILE, KnownCorpora, KnownCorpus, Overlap, find_overlap


def corpus(folder: Path, name: str, contents: list[bytes], **columns: list[str]) -> Manifest:
    """A corpus whose files are called 0.wav, 1.wav …, with such bytes in them."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    paths = [folder / name / f"{number}.wav" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    table = {
        "utt": [path.name for path in paths],
        "path": [str(path) for path in paths],
        "label": [1] * len(paths),
        "corpus": [name.partition("/")[0]] * len(paths),
        **columns,
    }
    return Manifest(name, pl.DataFrame(table))


def noise(count: int, seed: int = 0, size: int = 9000) -> list[bytes]:
    draws = np.random.default_rng(seed)
    return [draws.bytes(size) for _ in range(count)]


def known(*train: Manifest) -> KnownCorpora:
    return KnownCorpora.of(train, [])


def test_the_same_files_are_seen_whatever_they_are_called(tmp_path):
    ours = corpus(tmp_path, "ours", noise(5))
    copies = corpus(tmp_path, "theirs", [*noise(6, seed=1), *noise(5)[3:]])
    assert find_overlap(known(ours), copies) == Overlap("seen", "of 8 clips, 2 in ours (train)")
    assert find_overlap(KnownCorpora.of([], [ours]), ours) == Overlap("seen", "ours (dev)")


def test_the_same_clips_in_a_shard_are_seen(tmp_path):
    ours = corpus(tmp_path, "ours", noise(3))
    with tarfile.open(tmp_path / "clips.tar", "w") as archive:
        for number, path in enumerate(ours.table["path"]):
            archive.add(path, f"clip-{number}.wav")
    places = [str(tmp_path / f"clips.tar/clip-{number}.wav") for number in range(3)]
    shard = Manifest("shard", ours.table.with_columns(path=pl.Series(places)))
    assert find_overlap(known(shard), ours) == Overlap("seen", "of 3 clips, 3 in shard (train)")
    missing = shard.table.with_columns(pl.col("path").str.replace("clips", "none"))
    assert find_overlap(known(ours), Manifest("gone", missing)) == Overlap()


def test_files_of_the_same_names_and_sizes_are_not(tmp_path):
    """`0.wav` is in every second corpus, and a silent middle in every second file."""
    silent = [start + bytes(8000) + start for start in noise(6, size=2000)]
    one, other = corpus(tmp_path, "one", silent[:3]), corpus(tmp_path, "other", silent[3:])
    assert one.table["utt"].to_list() == other.table["utt"].to_list()
    assert find_overlap(known(one), other) == Overlap()
    assert find_overlap(known(one), corpus(tmp_path, "third", silent[2:])).mark == "seen"


def test_two_stretches_of_one_file_are_two_clips(tmp_path):
    ends = [{"start": ["0"], "end": ["2"]}, {"start": ["2"], "end": ["4"]}]
    one, other = (corpus(tmp_path, f"c{i}", noise(1), **ends[i]) for i in (0, 1))
    assert find_overlap(known(one), other) == Overlap()
    again = corpus(tmp_path, "again", noise(1), **ends[0])
    assert find_overlap(known(one), again).mark == "seen"


@pytest.mark.parametrize(
    ("train", "other", "shared"),
    [
        (["LA_0001", "LA_0002"], ["la_0002", "LA_0003"], 1),
        (["p1", "2", "speaker_03", "-", "unknown"], ["P1", "2", "Speaker_03", "-", "unknown"], 0),
    ],
)
def test_speakers_are_known_by_telling_names_in_any_case(tmp_path, train, other, shared):
    ours = corpus(tmp_path, "ours", noise(len(train)), speaker=train)
    theirs = corpus(tmp_path, "theirs", noise(len(other), seed=1), speaker=other)
    found = find_overlap(known(ours), theirs)
    assert found.mark == ("same speakers" if shared else "")
    assert not shared or found.detail == f"of 2 speakers, {shared} in ours (train)"


def test_within_a_corpus_any_name_tells_a_speaker(tmp_path):
    train = corpus(tmp_path, "ours/train", noise(2), speaker=["1", "2"])
    test = corpus(tmp_path, "ours/test", noise(2, seed=1), speaker=["2", "3"])
    assert find_overlap(known(train), test).mark == "same speakers"
    other = corpus(tmp_path, "ours/dev", noise(2, seed=2), speaker=["4", "5"])
    assert find_overlap(known(train), other) == Overlap("same corpus", "ours/train (train)")
    assert find_overlap(known(join_manifests([train], "a+ours")), other).mark == "same corpus"


def test_real_recordings_cut_anew_are_known_by_name_and_speaker(tmp_path):
    """Fakes are called like what they were made from, and numbers tell nothing."""
    ids = ["LJ001-0001", "x_1", "00000017"]
    ours = corpus(tmp_path, "ours", noise(3), speaker=["lj"] * 3)
    ours = Manifest("ours", ours.table.with_columns(utt=pl.Series(ids)))
    cut = corpus(tmp_path, "cut", noise(3, seed=1), speaker=["LJ"] * 3)
    cut = Manifest("cut", cut.table.with_columns(utt=pl.Series([f"lj_{name}" for name in ids])))
    detail = "of 1 real recordings by name and speaker, 1 in ours (train)"
    assert find_overlap(known(ours), cut) == Overlap("seen", detail)
    fakes = Manifest("cut", cut.table.with_columns(label=pl.lit(0)))
    assert find_overlap(known(ours), fakes).mark == "same speakers"


def test_the_visible_corpora_that_share_clips_are_found():
    names = ("diffwave", "ljspeech_mini")
    one, other = (read_manifest(shared_path("corpora", name, "manifest.csv")) for name in names)
    assert find_overlap(known(one), other).detail.endswith("5 in diffwave (train)")
    assert find_overlap(known(other), one).mark == "seen"


def test_of_many_clips_the_smallest_hashes_do(tmp_path, monkeypatch):
    monkeypatch.setattr("amsdf.scoring.training_data.MOST_HASHES", 50)
    ours = corpus(tmp_path, "ours", noise(400, size=50))
    kept = KnownCorpora(train=(KnownCorpus.of(ours, most=50),))
    assert len(kept.train[0].contents) == 50 and kept.train[0].clips == 400
    theirs = corpus(tmp_path, "theirs", [*noise(400, seed=1, size=50), *noise(400, size=50)[:80]])
    found = find_overlap(kept, theirs)
    assert found.mark == "seen" and "of 480 clips, at least " in found.detail


def test_names_decide_where_nothing_else_is_known(tmp_path):
    old = KnownCorpora.named_by(toy_experiment())
    found = [find_overlap(old, toy_manifest(tmp_path / "toy", split)) for split in ("dev", "eval")]
    assert found[0] == Overlap("seen", "toy/dev (dev), by its name")
    assert found[1] == Overlap("same corpus", "toy/train (train), toy/dev (dev)")
    other = corpus(tmp_path, "toys/eval", noise(1))
    assert find_overlap(old, other) == find_overlap(KnownCorpora(), other) == Overlap()


def test_training_remembers_its_data_beside_the_weights(tmp_path):
    train_and_calibrate(toy_experiment(**SMALL, train={"epochs": 1}), plan(tmp_path, "run"))
    best = tmp_path / "run/best"
    found = KnownCorpora.read(best, toy_experiment())
    assert [(c.name, c.clips, len(c.contents)) for c in found.train] == [("toy/train", 16, 16)]
    dev = toy_manifest(tmp_path / "toy", "dev")
    assert [(c.name, c.digest) for c in found.dev] == [("toy/dev", dev.digest)]
    assert read_calibration(best).manifests == {"toy/dev": dev.digest}
    text = (best / FILE).read_text()
    assert "train_s0" not in text, "speakers are hashed"
    found.save(tmp_path)
    assert KnownCorpora.read(tmp_path, toy_experiment()) == found
    (tmp_path / FILE).write_text(text.replace('"digest"', '"digestive"'))
    with pytest.raises(ValueError, match="does not say what a detector was trained on; delete it"):
        KnownCorpora.read(tmp_path, toy_experiment())


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A detector that was trained on the toy corpus' train and dev."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=2)
    toy_detector(tmp_path / "detector", **SMALL)
    train, dev = (toy_manifest(tmp_path / "toy", split) for split in ("train", "dev"))
    KnownCorpora.of([train], [dev]).save(tmp_path / "detector")
    return tmp_path


def test_score_files_say_what_was_known(capsys, place):
    shutil.copytree(place / "toy", place / "copy")
    words = ("eval", "--detector", "detector", "--quiet", "--on", "toy/eval", "toy/dev", "copy")
    assert amsdf(capsys, *words).status == 0
    tables = {path.stem: read_scores(path) for path in (place / "scores/detector").glob("*.tsv")}
    marks = {name: overlap_of(table) for name, table in tables.items()}
    assert marks == {"toy__eval": "same corpus", "toy__dev": "seen", "copy": "seen"}
    header = tables["copy"].header
    assert header["overlap_detail"] == "of 12 clips, 4 in toy/train (train), 4 in toy/dev (dev)"
    assert header["train_corpora"] == "toy/train" and header["dev_corpora"] == "toy/dev"
    assert header["dev_hashes"] == tables["toy__dev"].header["manifest_hash"]


def test_older_score_files_learn_it_without_being_scored_again(capsys, place):
    words = ("eval", "--detector", "detector", "--quiet", "--on", "toy/eval")
    assert amsdf(capsys, *words).status == 0
    file = place / "scores/detector/toy__eval.tsv"
    scores = read_scores(file)
    new = ("weights", "train_", "dev_", "overlap")
    header = {key: text for key, text in scores.header.items() if not key.startswith(new)}
    assert len(header) == len(scores.header) - 7
    write_scores(file, type(scores)(scores.name, scores.table, header))
    for path in (place / "toy/audio").glob("eval_*"):
        path.write_bytes(path.read_bytes()[:-4000])  # would score otherwise
    assert amsdf(capsys, *words).status == 0
    assert read_scores(file).table.equals(scores.table)
    assert read_scores(file).header == scores.header
    before = file.stat().st_mtime_ns
    time.sleep(0.01)
    assert amsdf(capsys, *words).status == 0
    assert file.stat().st_mtime_ns == before, "what it says already is not written again"
    (place / "detector" / FILE).unlink()
    assert amsdf(capsys, *words).status == 0
    now = read_scores(file)
    assert now.table.equals(scores.table) and now.header["train_hashes"] == ""


def test_the_starter_knows_its_corpora():
    text = (find_detector("starter")[1] / FILE).read_text("utf-8")
    found = json.loads(text)
    assert len(text) < 100_000 and len(found["train"]) == 13
    assert [corpus["name"] for corpus in found["dev"]] == ["yourtts", "speechbot"]
    assert all(corpus["contents"] and corpus["digest"] for corpus in found["train"])
