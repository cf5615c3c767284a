"""The AMSDF authors' own command lines."""

import pytest
import soundfile
from command_line import SMALL, amsdf, refused, toy_detector
from toys import tone, toy_corpus

from amsdf.cli.flags import build_parser
from amsdf.cli.flags.amsdf_authors import ALL_CORPORA, is_legacy, translate
from amsdf.data.corpora.finding.corpus import ALIASES
from amsdf.scoring.score_files.table import read_scores

TABLE = {
    "--eval --ename asvs2019la --emodel ./checkpoint/M1.pth -tbs 64 --score_path ./scores": (
        "eval --detector ./checkpoint/M1.pth --on asvs2019la --batch-size 64 --out ./scores"
    ),
    "--eval --emodel M2.pth": (
        f"eval --detector M2.pth --on {' '.join(ALL_CORPORA)} --as-published --out ./scores"
    ),
    "--eval --ename fac --emodel M2.pth --score-rule published": (
        "eval --detector M2.pth --on fac --as-published --out ./scores --score-rule published"
    ),
    "--eval --ename itw --emodel M1.pth,M2.pth --emodel M3.pth": (
        "eval --detector M1.pth --detector M2.pth --detector M3.pth --on itw --as-seeds "
        "--out ./scores"
    ),
    "--emodel M2.pth --num_workers 4": (
        f"eval --detector M2.pth --on {' '.join(ALL_CORPORA)} --as-published --workers 4 "
        "--out ./scores"
    ),
    "-bs 12 -tbs 64 --num_epoch 15 --seed 1234 --save": (
        "train --recipe amsdf --batch-size 12 --epochs 15 --seed 1234 "
        "--set train.eval_batch_size=64 --out runs/amsdf-seed1234"
    ),
    "--batch_size 12 --lr 1e-5 --weight_decay 1e-3 --stop_epoch 4 --warm_epoch 2": (
        "train --recipe amsdf --batch-size 12 --learning-rate 1e-5 --set train.weight_decay=1e-3 "
        "--set train.patience=4 --set train.skip_validation=2 --out runs/amsdf-seed1234"
    ),
    "--modelroot models --mn mine --seed 7": (
        "train --recipe amsdf --seed 7 --out models/mine-seed7"
    ),
    "--score_path ./scores": "report ./scores",
    "-bs 4 --data toy=there": (
        "train --recipe amsdf --batch-size 4 --out runs/amsdf-seed1234 --data toy=there"
    ),
}


@pytest.mark.parametrize("theirs", TABLE)
def test_theirs_become_ours(theirs):
    assert is_legacy(theirs.split())
    assert translate(theirs.split()) == TABLE[theirs].split()
    build_parser().parse_args(TABLE[theirs].split())


@pytest.mark.parametrize(
    "ours", ["", "train --seed 1", "--help", "-h", "--version", "-v", "--quiet score a.wav"]
)
def test_ours_are_left_alone(ours):
    """A flag of ours in the wrong place is not taken for their training command."""
    assert not is_legacy(ours.split())


def test_their_corpora_are_known():
    assert set(ALL_CORPORA) <= set(ALIASES)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """ASVspoof 2019 LA in small, found through data.yaml, and a detector."""
    lines = []
    folder = tmp_path / "LA/ASVspoof2019_LA_eval/flac"
    folder.mkdir(parents=True)
    for index, label in enumerate(("bonafide", "spoof") * 3):
        utt = f"LA_E_{index}"
        soundfile.write(folder / f"{utt}.flac", tone(100 + index, 0.6, 0.05, index), 16_000)
        lines.append(f"LA_0039 {utt} - {'-' if label == 'bonafide' else 'A11'} {label}\n")
    protocols = tmp_path / "LA/ASVspoof2019_LA_cm_protocols"
    protocols.mkdir()
    (protocols / "ASVspoof2019.LA.cm.eval.trl.txt").write_text("".join(lines))
    (tmp_path / "data.yaml").write_text("asvspoof2019-la: .\n")
    toy_detector(tmp_path / "M1", **SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_their_evaluation_runs(capsys, place):
    words = "--eval --ename asvs2019la --emodel ./M1 -tbs 4 --score_path ./scores"
    done = amsdf(capsys, *words.split())
    assert done.status == 0 and "6 scored + 0 failed = 6 listed" in done.out
    ours = "# amsdf eval --detector ./M1 --on asvs2019la --batch-size 4 --out ./scores"
    assert done.err.splitlines()[0] == ours
    scores = read_scores(place / "scores/M1/asvspoof2019-la__eval.tsv")
    assert scores.table["utt"].to_list() == [f"LA_E_{index}" for index in range(6)]
    again = amsdf(capsys, "report", "./scores")
    assert again.status == 0 and "asvspoof2019-la/eval" in again.out


def test_their_training_runs(capsys, place):
    """Their flags on a recipe of ours small enough for a test."""
    toy_corpus(place / "toy", clips=2)
    words = "-bs 4 --num_epoch 1 --seed 3 --mn mine --save"
    ours = "--quiet --view audio=lfcc --view emotion=none --view text=none --head pool-linear"
    data = "--train toy/train --dev toy/dev --set clip.samples=8000"
    done = amsdf(capsys, *words.split(), *ours.split(), *data.split())
    assert done.status == 0, done.err
    assert (place / "runs/mine-seed3/best/model.safetensors").is_file()


def test_their_mistakes_are_one_line(capsys):
    assert "--ename: expected one argument" in refused(capsys, "--eval", "--ename")
    done = amsdf(capsys, "--eval", "--wibble")
    assert done.status == 2 and "unrecognized arguments: --wibble" in done.err
    assert "unrecognized arguments: --quiet" in refused(capsys, "--quiet", "plugins")
