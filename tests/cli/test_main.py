"""The command line itself: quick help, fixed commands and flags, exit statuses, dry runs."""

import argparse
import resource
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import soundfile
from command_line import SMALL, amsdf, refused, toy_detector, toy_yaml
from toys import toy_corpus

from amsdf import __version__
from amsdf.cli import flags
from amsdf.cli.flags.help_texts import COMMANDS, EXAMPLES
from amsdf.config import Experiment

ROOT = Path(__file__).parents[2]
EXPERIMENT = "recipe config view head loss augment freeze train dev epochs batch-size learning-rate"
DATA = "data workers quiet"
SCORING = "batch-size precision plain engine address score-rule device strict threshold"
TABLES = "by grid figures resample pool-all fuse fuse-on as-seeds compare asv asv-key"
TRUST = "trust-remote-code"
CACHE = "cache cache-dtype"
FLAGS = {
    "train": f"{EXPERIMENT} precision seed name set {DATA} out resume tracker dry-run "
    f"{CACHE} {TRUST}",
    "eval": "detector on out html as-published bonafide-class calibrate calibrate-on "
    f"store-calibration "
    f"{TABLES} {SCORING} {CACHE} {DATA} {TRUST}",
    "score": f"detector json jsonl csv out plot explain verbose bonafide-class {SCORING} {TRUST}",
    "serve": f"detector host port token-file limit device {TRUST}",
    "live": "input follow idle raw realtime every span hop false-alarms-per-hour alarm-at alarms "
    f"measure jsonl detector device {TRUST}",
    "report": f"out key subset format negate bonafide-label threshold {TABLES}",
    "import": "bonafide-class ssl verify",
    "card": f"out scores notes name license {TRUST}",
    "export": f"int8 on data {TRUST}",
    "arena": "out name slug description code checkpoint arxiv bibtex dataset revision split "
    "scores-url hf-user contact notes license bonafide-class batch-size score-rule device "
    f"{DATA} {TRUST}",
    "verify": "against",
    "study": f"out {CACHE} {DATA} {TRUST}",
    "corpora": "out sample data quiet",
    "cache": f"{EXPERIMENT} precision seed name set detector on workers limit unused to encoder "
    f"cache-dtype data quiet {TRUST}",
    "init": f"{EXPERIMENT} precision seed name set",
    "plugins": "check",
    "recipes": "",
    "completion": "",
    "doctor": "check data",
    "demo": "out epochs quiet",
}


def parsers():
    for action in flags.build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    raise AssertionError("no commands")


def test_commands_and_flags_are_these():
    """A new flag is a decision: it is written here, in the README and in the changelog."""
    found = {
        name: {word for action in parser._actions for word in action.option_strings}
        for name, parser in parsers().items()
    }
    wanted = {
        name: {"-h", "--help", *(f"--{flag}" for flag in flags.split())}
        for name, flags in FLAGS.items()
    }
    assert found == wanted


def test_every_command_has_examples_that_are_understood_and_every_flag_a_word():
    assert set(EXAMPLES) == set(COMMANDS) == set(parsers())
    for name, parser in parsers().items():
        assert 2 <= len(EXAMPLES[name]) <= 4
        for line in EXAMPLES[name]:
            assert f"\n  amsdf {line}\n" in parser.format_help() + "\n", "one line, not filled"
            assert flags.build_parser().parse_args(shlex.split(line)).command == name
        mute = [action.dest for action in parser._actions if not action.help]
        assert not mute, (name, mute)


def test_the_words_are_defined_where_a_stranger_looks_first(capsys):
    text = amsdf(capsys, "--help").out
    assert "\n  bona fide  real speech" in text and "\n  spoof      fake speech" in text


def test_every_command_has_a_module_and_a_line_of_help(capsys):
    listed = amsdf(capsys, "--help").out
    for name, text in COMMANDS.items():
        assert callable(import_module(f"amsdf.cli.{name.replace('import', 'import_')}").run)
        assert name in listed
        done = amsdf(capsys, name, "--help")
        assert done.status == 0 and text[:30] in " ".join(done.out.split())


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["--version"], ["tarin"]])
def test_help_and_mistakes_answer_at_once(words):
    """Under half a second of processor time, from the script a user calls."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "main.py", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
    assert done.returncode == (2 if words == ["tarin"] else 0)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == (1 if words == ["tarin"] else 0)


def test_the_command_line_brings_no_heavy_library():
    script = "import sys, amsdf.cli.main; amsdf.cli.flags.build_parser(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {"torch", "polars", "pydantic", "numpy", "transformers", "yaml", "soundfile"}
    assert not heavy & set(done.stdout.split())


def test_version(capsys):
    assert amsdf(capsys, "--version").out == f"amsdf {__version__}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("tarin", "invalid choice: 'tarin' (choose from"),
        ("train --wibble", "unrecognized arguments: --wibble"),
        ("train --epochs some", "--epochs: invalid int value: 'some'"),
        ("train --precision fp8", "invalid choice: 'fp8'"),
        ("train --ep 3", "unrecognized arguments: --ep"),
        ("eval --on x", "required: --detector"),
        ("eval --detector x", "required: --on"),
        ("eval --on x --detector y --batch-size 0", "must be a whole number from 1 on; given: 0"),
        ("eval --on x --detector y --workers -1", "must be a whole number from 0 on; given: -1"),
        ("score", "required: FILE"),
        ("train", "give --recipe, --config or --view NAME=ENCODER"),
        ("train --recipe aasist --train toy --data toy", "--data: 'toy' is not of the form name="),
        ("train --view audio=lfcc", "give --train CORPUS"),
        ("train --recipe aasist", "corpus 'asvspoof2019-la' has no root here: give --data"),
        ("train --recipe aasist --train asvspof2019-la", "Did you mean 'asvspoof2019-la'?"),
        ("train --recipe aasist --train toy/trian", "no split 'trian'. Did you mean 'train'?"),
        ("train --view a.b=lfcc --dry-run", "no view can be called 'a.b'; give it another name"),
        ("train --view items=lfcc --dry-run", "no view can be called 'items'; give it another"),
        ("eval --detector nowhere --on toy/eval", "nowhere: does not exist; give a run folder"),
        ("eval --detector toy --on toy/eval", "toy: is not a detector; give a run folder"),
        ("eval --detector detector --on itww", "no corpus named 'itww', nor a file or folder. Did"),
        ("score toy --detector detector --device tpu9", "--device tpu9:"),
        ("corpora check", "which one? `corpora list` names them"),
        ("corpora check toys", "no corpus named 'toys', nor a file or folder. Did you mean 'toy'?"),
        ("corpora manifest toy", "give one CORPUS and --out FILE.parquet"),
        ("corpora manifest toy --out toy.xls", "is written as .parquet, .csv, .tsv"),
        ("corpora chekc toy", "invalid choice: 'chekc'"),
        ("plugins xslr", "no plugin or recipe named 'xslr'. Did you mean 'xlsr'?"),
        ("report nowhere", "nowhere: no such file or folder"),
        ("doctor --data toy", "--data: 'toy' is not of the form name=path"),
    ],
)
def test_every_failing_command_says_one_line_and_exits_with_2(capsys, place, words, says):
    """Trap: exit 0 after failure."""
    assert says in refused(capsys, *words.split()).replace('"', "'")
    assert sorted(path.name for path in place.iterdir()) == ["data.yaml", "detector", "toy"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("cli")
    toy_corpus(home / "toy", clips=2)
    toy_detector(home / "detector", **SMALL)
    (home / "data.yaml").write_text("toy: toy\n")
    return home


@pytest.fixture
def place(home, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.delenv("AMSDF_DATA", raising=False)
    return home


def test_a_failing_command_of_the_shell_exits_with_2_and_one_line(place):
    """As a user runs it, warnings of libraries included."""
    words = ["score", "nowhere.wav", "--detector", "detector"]
    done = subprocess.run(
        [sys.executable, ROOT / "main.py", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("amsdf score: nowhere.wav: no such file or folder; give a")
    assert len(done.stderr.splitlines()) == 1


def test_an_interrupted_command_says_so(capsys, place, monkeypatch):
    def interrupt(_args):
        raise KeyboardInterrupt

    for words, says in (("plugins", ""), ("demo", "; what was done is kept")):
        monkeypatch.setattr(f"amsdf.cli.{words}.run", interrupt)
        done = amsdf(capsys, words)
        assert done.status == 130 and done.err == f"amsdf {words}: stopped{says}\n"


def test_a_dry_run_shows_everything_and_opens_nothing(capsys, tmp_path, monkeypatch):
    """Neither corpus nor pretrained file need be there."""

    def opened(*_args, **_kwargs):
        raise AssertionError("audio was opened")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(soundfile, "read", opened)
    monkeypatch.setattr("amsdf.audio.files.reading.read_audio", opened)
    toy_yaml(tmp_path, dev=["asvspoof2019-la/dev"])
    words = ("--freeze", "text", "--set", "views.audio.pretrained=absent.pth")
    done = amsdf(capsys, "train", "--config", "toy.yaml", "--dry-run", *words)
    assert done.status == 0 and "# pretrained file 'absent.pth' is not here" in done.out
    text = "\n".join(line for line in done.out.splitlines() if not line.startswith("#"))
    shown, _, table = text.partition("part  ")
    experiment = Experiment.from_yaml(shown)
    assert experiment.views["text"].freeze and experiment.dev == ["asvspoof2019-la/dev"]
    rows = {line[:28].strip(): line[28:] for line in table.splitlines()[1:]}
    assert "(B, 24, 16)" in rows["view text (xlsr)"] and "(B, 49, 36)" in rows["view audio (lfcc)"]
    trainable, frozen = rows["view text (xlsr)"].split()[-2:]
    assert trainable == "0" and frozen == "4,220"
    assert rows["all"].split()[-1] == "4,220" and "memory: about 0.00 GiB" in done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.yaml"]


def test_train_score_and_eval_from_flags_alone(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=3)
    parts = "--view audio=lfcc:coefficients=12 --head pool-linear --loss oc-softmax"
    data = "--train toy/train --dev toy/dev --set clip.samples=8000 --epochs 4 --batch-size 4"
    words = f"train {parts} {data} --learning-rate 0.01 --name mine --quiet"
    done = amsdf(capsys, *words.split())
    assert done.status == 0 and "detector: runs/mine/best" in done.out
    assert (tmp_path / "runs/mine/best/calibration.json").is_file()
    done = amsdf(capsys, "score", "toy/audio/eval_0_bonafide.wav", "--detector", "runs/mine")
    assert done.status == 0 and "eval_0_bonafide.wav: Cannot tell. The recording lasts" in done.out
    words = "eval --detector runs/mine --on toy/eval toy/dev --by attack --quiet"
    done = amsdf(capsys, *words.split())
    assert done.status == 0 and "12 scored + 0 failed = 12 listed" in done.out
    assert {"matrix.csv", "mine"} <= {path.name for path in (tmp_path / "scores").iterdir()}


def test_two_training_corpora_may_use_the_same_ids(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        toy_corpus(tmp_path / name, clips=1)
    toy_yaml(tmp_path, **SMALL, dev=[], train={"epochs": 1})
    words = ("train", "--config", "toy.yaml", "--quiet", "--out")
    done = amsdf(capsys, *words, "run", "--train", "one/train", "two/train")
    assert done.status == 0, done.err
    line = refused(capsys, *words, "again", "--train", "one/train", "one/train")
    assert "'one/train_0_bonafide' occurs 2 times; ids must be unique" in line


def test_trackers_that_are_not_installed_are_refused(capsys, place, tmp_path):
    """Nothing is skipped silently."""
    config = toy_yaml(tmp_path, **SMALL)
    words = ("train", "--config", config, "--quiet", "--out", tmp_path / "run", "--tracker")
    with pytest.warns(UserWarning, match="no supported trackers"):
        assert "--tracker dvclive: is not installed; pip" in refused(capsys, *words, "dvclive")
    assert not (tmp_path / "run").exists()


def test_a_reader_that_has_seen_enough_is_no_failure():
    """`amsdf corpora | head -1` ends without a word about pipes."""
    command = f"{sys.executable} main.py corpora | head -1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("add2022") and done.stderr == ""
