"""Checkpoints whose authors do not say which class is bona fide, as a corpus settles it."""

import json
from dataclasses import fields

import pytest
import soundfile
import torch
from command_line import amsdf, refused
from corpus_trees import FAC_HEADER, FAC_ROWS, LA19, make_tree
from kept_files import golden_path
from published_files import published_aasist, saved

from amsdf.config import merge
from amsdf.detector import published
from amsdf.detector.published import Family, reading
from amsdf.detector.published.families import AASIST
from amsdf.detector.published.polarity import Polarity
from amsdf.scoring.score_files.table import read_scores
from amsdf.testing import waveforms

NUM_CLIPS = 8


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Three checkpoints, the second with its classes the other way round, and eight recordings.

    The first ranks the recordings from clip 0, lowest, to clip 7.
    """
    home = tmp_path_factory.mktemp("undecided")
    state = published_aasist("aasist-l")
    swapped = {key: v.flip(0) if key.startswith("out_layer") else v for key, v in state.items()}
    models = home / "models"
    models.mkdir()
    saved(state, models, "M1.pth")
    saved(swapped, models, "M2.pth")
    saved({key: v * 1.0001 if v.is_floating_point() else v for key, v in state.items()},
          models, "M3.pth")  # fmt: skip
    sounds = waveforms(NUM_CLIPS, 16_000)
    with torch.no_grad():
        order = published.load(models / "M1.pth").score_unchecked(sounds).argsort().tolist()
    for place, number in enumerate(order):
        soundfile.write(home / f"{place}.wav", sounds[number].numpy(), 16_000, subtype="FLOAT")
    return home


@pytest.fixture
def place(home, tmp_path, monkeypatch):
    """The family is undecided; `agrees` has the upper half bona fide, `contradicts` the lower."""

    class ShortClips(Family):
        def translate(self, weights, ssl=None):
            description, ours = super().translate(weights, ssl)
            return merge(description, {"clip": {"samples": 16_000}}), ours

    parts = {field.name: getattr(AASIST, field.name) for field in fields(AASIST)}
    undecided = ShortClips(**{**parts, "bonafide_class": None})
    monkeypatch.setattr(reading, "FAMILIES", (undecided,))
    monkeypatch.chdir(tmp_path)
    for name in ("models", *(f"{number}.wav" for number in range(NUM_CLIPS))):
        (tmp_path / name).symlink_to(home / name)
    corpus("agrees", range(4, 8))
    corpus("contradicts", range(4))
    corpus("unclear", (0, 1, 6, 7))
    return tmp_path


def corpus(name, bonafide):
    lines = [f"{n}.wav,{'bonafide' if n in bonafide else 'spoof'}" for n in range(NUM_CLIPS)]
    with open(f"{name}.csv", "w") as file:
        file.write("path,label\n" + "\n".join(lines) + "\n")


def evaluate(capsys, model, *corpora, out="scores"):
    words = ("eval", "--detector", f"models/{model}", "--quiet", "--out", out, "--on")
    return amsdf(capsys, *words, *(f"{name}.csv" for name in corpora))


def scores(place, model, name, out="scores"):
    table = read_scores(place / out / model / f"{name}.tsv").table
    return dict(table.select("utt", "score").iter_rows())


@pytest.mark.parametrize(("model", "bonafide"), [("M1", 1), ("M2", 0)])
def test_the_first_labelled_corpus_decides_and_it_is_said(capsys, place, model, bonafide):
    done = evaluate(capsys, f"{model}.pth", "agrees")
    assert done.status == 0, done.err
    areas = ("1.000", "0.000") if bonafide else ("0.000", "1.000")
    assert (
        f"# {model}: class {bonafide} is bona fide, on every corpus: AUC on agrees "
        f"(4 bona fide, 4 spoof): {areas[0]} if class 1 is bona fide, {areas[1]} if class 0 is"
    ) in done.out
    found = scores(place, model, "agrees")
    assert sorted(found, key=found.get) == [f"{number}.wav" for number in range(NUM_CLIPS)]


def test_one_decision_holds_for_every_corpus(capsys, place):
    """Never the better sign per corpus: what contradicts it shows its EER of 100 %."""
    done = evaluate(capsys, "M1.pth", "agrees", "contradicts")
    row = next(line for line in done.out.splitlines() if line.startswith("contradicts  "))
    assert "100" in row
    assert scores(place, "M1", "agrees") == scores(place, "M1", "contradicts")

    later = evaluate(capsys, "M1.pth", "contradicts")
    assert "class 1 is bona fide, on every corpus: AUC on agrees" in later.out
    alone = evaluate(capsys, "M1.pth", "contradicts", out="elsewhere")
    assert "class 0 is bona fide, on every corpus: AUC on contradicts" in alone.out


def test_another_checkpoint_of_the_same_name_is_decided_anew(capsys, place):
    evaluate(capsys, "M1.pth", "agrees")
    kept = json.loads((place / "scores/M1/polarity.json").read_text())
    assert kept["polarity"]["corpus"] == "agrees"
    (place / "second").mkdir()
    (place / "second/M1.pth").symlink_to(place / "models/M2.pth")
    words = ("eval", "--detector", "second/M1.pth", "--quiet", "--on", "agrees.csv")
    assert "# M1: class 0 is bona fide" in amsdf(capsys, *words).out


def test_what_clips_or_missing_labels_leave_open_is_refused(capsys, place):
    line = refused(capsys, "eval", "--detector", "models/M1.pth", "--quiet", "--on", "unclear.csv")
    assert "which class is bona fide cannot be told: AUC on unclear" in line
    assert "name another corpus first, or give --bonafide-class 0 or 1" in line
    (place / "bare.csv").write_text("path,label\n0.wav,spoof\n")
    line = refused(capsys, "eval", "--detector", "models/M1.pth", "--quiet", "--on", "bare.csv")
    assert "contradict each other on which class is bona fide" in line
    words = ("eval", "--detector", "models/M1.pth", "--bonafide-class", "0", "--quiet")
    done = amsdf(capsys, *words, "--on", "agrees.csv")
    assert done.status == 0 and "is bona fide, on every corpus" not in done.out


def test_the_authors_command_line_with_a_folder_of_checkpoints(capsys, place):
    """M1, M2, M3: best, average and vote."""
    rows = enumerate(["spoof"] * 4 + ["bonafide"] * 4)
    lines = [f"LA_0039 LA_E_{n} - {'-' if x == 'bonafide' else 'A11'} {x}\n" for n, x in rows]
    make_tree(place, {f"LA/{LA19}.eval.trl.txt": "".join(lines)})
    flac = place / "LA/ASVspoof2019_LA_eval/flac"
    flac.mkdir(parents=True)
    for number in range(NUM_CLIPS):
        samples, rate = soundfile.read(f"{number}.wav")
        soundfile.write(flac / f"LA_E_{number}.flac", samples, rate, subtype="PCM_24")
    (place / "data.yaml").write_text("asvspoof2019-la: .\n")

    words = "--eval --ename asvs2019la --emodel models -tbs 4 --quiet"
    done = amsdf(capsys, *words.split())
    assert done.status == 0, done.err
    assert "--detector models --on asvs2019la --as-seeds --batch-size 4" in done.err
    for name, bonafide in (("M1", 1), ("M2", 0), ("M3", 1)):
        assert f"# {name}: class {bonafide} is bona fide, on every corpus: AUC on asvsp" in done.out
    assert "best  average ± spread" in done.out
    (row,) = [line for line in done.out.splitlines() if line.startswith("M1 + M2 + M3 on asvspoof")]
    assert row.split("eval")[1].split()[:3] == ["3", "0.00", "0.00"]
    again = amsdf(capsys, "report", "scores", "--as-seeds")
    assert row in again.out


def test_fakeavceleb_is_scored_as_the_authors_did_and_says_so(capsys, place):
    root = place / "FakeAVCeleb_v1.2"
    make_tree(root, {"meta_data.csv": FAC_HEADER + "\n".join(FAC_ROWS) + "\n"})
    for number, row in enumerate(FAC_ROWS):
        *_, file, folder = row.split(",")
        target = root / folder.removeprefix("FakeAVCeleb/") / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((place / f"{number}.wav").read_bytes())
    words = "--eval --ename fac --emodel models/M1.pth --bonafide-class 1 --quiet --data"
    done = amsdf(capsys, *words.split(), f"fakeavceleb={root}")
    assert done.status == 0, done.err
    assert "# fakeavceleb: all rows, as the AMSDF authors scored it, the clips of its" in done.out
    assert "fakeavceleb/as-published" in done.out and "7 scored + 0 failed = 7 list" in done.out


@pytest.mark.parametrize(
    ("area", "counts", "bonafide"),
    [
        (0.99, (100, 100), 1),
        (0.59, (100, 100), 1),
        (0.57, (100, 100), None),
        (0.41, (100, 100), 0),
        (1.0, (2, 2), 1),
        (0.75, (2, 2), None),
        (0.5, (0, 4), None),
    ],
)
def test_chance_decides_nothing(area, counts, bonafide):
    assert Polarity("known", *counts, area).bonafide_class == bonafide


@pytest.mark.slow
def test_a_whole_amsdf_file_on_their_command_line(capsys, tmp_path, monkeypatch):
    """The reference's own small checkpoint, its classes as the reference built them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "M1.pth").symlink_to(golden_path("amsdf_full_tiny_ckpt.pth"))
    sounds = waveforms(4, 64_600)
    detector = published.load(tmp_path / "M1.pth", bonafide_class=1)
    with torch.no_grad():
        order = detector.score(sounds).argsort().tolist()
    rows = []
    for place, number in enumerate(order):
        label = "bonafide" if place < 2 else "spoof"
        soundfile.write(f"{number}.wav", sounds[number].numpy(), 16_000, subtype="FLOAT")
        rows.append(f"{number}.wav,{label}\n")
    (tmp_path / "known.csv").write_text("path,label\n" + "".join(rows))
    done = amsdf(capsys, *["--eval", "--ename", "known.csv", "--emodel", "M1.pth", "--quiet"])
    assert done.status == 0 and "# M1: class 0 is bona fide" in done.out, done.err
