"""What bad input gets: one line that names the thing and the remedy, status 2, nothing lost."""

import io
import re
import shutil

import numpy as np
import pytest
import soundfile
import torch
from command_line import Malicious, amsdf, files_below, refused, toy_detector, toy_yaml
from toys import tone, toy_corpus

RATE = 16_000
KINDS = ("bonafide", "spoof")


def write_sound(path, waveform, rate=RATE, subtype="FLOAT"):
    soundfile.write(path, np.asarray(waveform, np.float32), rate, subtype=subtype)


def cut_flac(path, keep):
    """A FLAC file of three seconds of which only the first `keep` bytes are there."""
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(120, 3.0), RATE, format="FLAC")
    path.write_bytes(buffer.getvalue()[:keep])


def second_frame(path):
    """The first half of a FLAC file, cut exactly between two frames: decoders see no fault."""
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(120, 3.0), RATE, format="FLAC")
    data = buffer.getvalue()
    cut = data.index(b"\xff\xf8", len(data) // 2)
    path.write_bytes(data[:cut])


#: `score` judges what is there of these.
IN_PART = ("cut.flac", "between-frames.flac")
RECORDINGS = {
    "missing.wav": (lambda path: None, "no such file or folder; give a recording"),
    "zero-bytes.wav": (lambda path: path.write_bytes(b""), "has zero bytes; copy or download"),
    "zero-samples.wav": (lambda path: write_sound(path, []), "has no samples; record or export"),
    "nan.wav": (
        lambda path: write_sound(path, np.full(8000, np.nan)),
        "8000 samples are NaN or infinite; export it again",
    ),
    "one-nan.wav": (
        lambda path: write_sound(path, [*tone(100), np.inf]),
        "1 samples are NaN or infinite; export it again",
    ),
    "silence.wav": (lambda path: write_sound(path, np.zeros(RATE)), "is digital silence; there is"),
    "random.wav": (
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        "cannot be decoded .*; is it sound, and complete?",
    ),
    "header.flac": (lambda path: cut_flac(path, 20), "cannot be decoded .*; is it sound, and"),
    "cut.flac": (lambda path: cut_flac(path, 40_000), "is cut off or damaged: 1.3 s of it can"),
    "between-frames.flac": (
        second_frame,
        r"is cut off: it announces 3.0 s, \d.\d+ s are there",
    ),
    "one-sample.wav": (lambda path: write_sound(path, [0.5], 44_100), "has no samples; record"),
    "text.mp3": (lambda path: path.write_text("hello " * 300), "cannot be decoded"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a toy corpus and a detector, which no refused command may change."""
    home = tmp_path_factory.mktemp("home")
    toy_corpus(home / "toy", clips=2)
    toy_detector(home / "detector", views={"text": None})
    toy_yaml(home, views={"text": None}, train={"epochs": 1})
    return home


@pytest.fixture(autouse=True)
def here(home, monkeypatch):
    monkeypatch.chdir(home)
    before = files_below(home)
    yield
    assert files_below(home) == before, "a refused command changed something"


@pytest.mark.parametrize("name", [name for name in RECORDINGS if name not in IN_PART])
def test_a_recording_that_cannot_be_judged(capsys, tmp_path, name):
    make, says = RECORDINGS[name]
    make(tmp_path / name)
    line = refused(capsys, "score", tmp_path / name, "--detector", "detector")
    assert line.startswith(f"amsdf score: {tmp_path / name}: ")
    assert re.search(says, line), line


@pytest.mark.parametrize("name", [name for name in RECORDINGS if name != "missing.wav"])
def test_training_stops_at_such_a_recording(capsys, tmp_path, name):
    RECORDINGS[name][0](tmp_path / name)
    rows = [f"{name},spoof", *(f"toy/audio/train_{i}_{k}.wav,{k}" for i in (0, 1) for k in KINDS)]
    shutil.copytree("toy", tmp_path / "toy")
    (tmp_path / "own.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    words = ("--train", tmp_path / "own.csv", "--dev", "toy/dev", "--out", tmp_path / "run")
    line = refused(capsys, "train", "--config", "toy.yaml", "--quiet", *words)
    assert f"training stopped: {tmp_path / name}: " in line


GOOD = "toy/audio/eval_0_bonafide.wav"
MANIFESTS = {
    "missing.csv": (None, r"missing\.csv"),
    "text.txt": ("once upon a time", r"is not a manifest; give \.csv, \.tsv, \.jsonl, \.parquet"),
    "prose.csv": ("once upon a time\nthere was", "has no column 'path'. It needs path,label and"),
    "empty.csv": ("", r"is not a \.csv table \(empty CSV\); its first line names the columns"),
    "bytes.csv": (b"\xff\xfe\x00\x81", "has no column 'path'. It needs path,label and has"),
    "bytes.tsv": (b"a\tb\n\xff\xfe\t\x81\n", r"is not a \.tsv table"),
    "bytes.parquet": (b"\xff\xfe\x00\x81", r"is not a \.parquet table"),
    "bytes.jsonl": (b"\xff\xfe\x00\x81", r"is not a \.jsonl table"),
    "ragged.csv": ("path,label\na.wav,real\nb.wav,fake,1,2\n", r"is not a \.csv table"),
    "no-label.csv": ("path\na.wav\n", "has no column 'label'. It needs path,label and has 'path'"),
    "near.csv": ("path,lable\na.wav,real\n", "no column 'label'. Did you mean 'lable'"),
    "no-rows.csv": ("path,label\n", "lists no utterance; it needs at least one row"),
    "empty-cell.csv": ("path,label\na.wav,real\n,fake\n", "1 rows have no path; fill in or drop"),
    "no-word.csv": ("path,label\na.wav,real\nb.wav,\n", "1 rows have no label; say bonafide or"),
    "word.csv": ("path,label\na.wav,real\nb.wav,maybe\n", "label 'maybe' is not understood; use"),
    "twice.csv": (
        "utt,path,label\na,a.wav,real\na,b.wav,fake\n",
        "utterance id 'a' occurs 2 times; ids must be unique",
    ),
    "time.csv": ("path,label,start\na.wav,real,soon\n", "start 'soon' is not a number of seconds"),
    "nested.jsonl": (
        '{"path": "a.wav", "label": "real", "tags": ["x"]}\n',
        "column 'tags' holds lists or objects; give plain values",
    ),
}


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize("command", ["eval", "train", "corpora"])
def test_a_manifest_that_is_none(capsys, tmp_path, name, command):
    text, says = MANIFESTS[name]
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    out = tmp_path / "out"
    words = {
        "eval": ("--detector", "detector", "--on", path, "--out", out, "--quiet"),
        "train": ("--config", "toy.yaml", "--train", path, "--dev", "toy/dev", "--out", out),
        "corpora": ("check", path, "--quiet"),
    }[command]
    line = refused(capsys, command, *words)
    assert name in line
    assert re.search(says, line), line
    assert not out.exists()


def test_a_folder_without_recordings_or_labels(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    line = refused(capsys, "score", tmp_path / "empty", "--detector", "detector")
    assert "empty: holds no sound file: none ends in .wav, .flac, " in line
    line = refused(capsys, "eval", "--detector", "detector", "--on", "toy/audio")
    assert "has no labels; give a manifest with path,label or a folder with real/" in line


def train(capsys, *words):
    return refused(capsys, "train", "--config", "toy.yaml", "--quiet", *words)


def test_one_class_in_dev_or_train_is_refused_before_anything_is_made(capsys, tmp_path, home):
    (tmp_path / "one.csv").write_text(f"path,label\n{home / GOOD},real\n")
    out = tmp_path / "run"
    line = train(capsys, "--dev", tmp_path / "one.csv", "--out", out)
    assert "one: 1 bona fide and 0 spoof utterances; an EER needs both classes" in line
    assert "one: 1 bona fide" in train(capsys, "--train", tmp_path / "one.csv", "--out", out)
    assert not out.exists(), "the same command, put right, must not meet a half-made run"


@pytest.mark.parametrize("out", ["file", "file/below", "file/far/below"])
def test_an_output_that_cannot_be_written(capsys, tmp_path, out):
    """Refused before the work, not after it."""
    (tmp_path / "file").write_text("precious")
    place = tmp_path / out
    says = "cannot be made (File exists)" if out == "file" else "cannot be made (Not a directory)"
    assert says in train(capsys, "--out", place)
    scoring = ("--detector", "detector", "--quiet", "--out", place)
    assert says in refused(capsys, "eval", "--on", "toy/eval", *scoring)
    if out != "file":
        done = amsdf(capsys, "score", GOOD, "--detector", "detector", "--out", place)
        assert done.status == 2 and "score 0" not in done.out and "give another --out" in done.err
        assert "give another" in refused(capsys, "corpora", "manifest", "toy", "--out", place)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_folder_given_as_output_file(capsys, tmp_path):
    line = refused(capsys, "score", GOOD, "--detector", "detector", "--out", tmp_path)
    assert f"{tmp_path}: is a folder; --out takes the name of a file" in line


def test_a_run_folder_that_exists(capsys, tmp_path):
    words = ("train", "--config", "toy.yaml", "--quiet", "--out", tmp_path / "run")
    assert amsdf(capsys, *words).status == 0
    made = files_below(tmp_path)
    assert "holds a run already; give --resume" in refused(capsys, *words)
    line = refused(capsys, *words, "--resume", "--seed", "8")
    assert "is a run of another experiment (seed: 7 in the run, 8 given);" in line
    assert files_below(tmp_path) == made
    line = train(capsys, "--resume", "--out", tmp_path / "none")
    assert "none: holds no run to go on with; leave --resume out" in line
    for content in (b"garbage", None):
        state = tmp_path / "run/last/training.pt"
        if content is None:
            torch.save(Malicious(tmp_path / "trace"), state)
        else:
            state.write_bytes(content)
        line = refused(capsys, *words, "--resume")
        assert "training.pt: is damaged or holds objects, which are not executed" in line
    assert not (tmp_path / "trace").exists()


def _weights(folder, content):
    (folder / "model.safetensors").write_bytes(content)


def _experiment(folder, text):
    (folder / "experiment.yaml").write_bytes(text)


EVIL_YAML = b"!!python/object/apply:os.system ['touch trace']"
CHECKPOINTS = {
    "garbage weights": (lambda at: _weights(at, b"garbage" * 99), "is not a safetensors file"),
    "no weights": (lambda at: (at / "model.safetensors").unlink(), "give a run folder, a detector"),
    "pickled weights": (
        lambda at: torch.save(Malicious(at / "trace"), at / "model.safetensors"),
        "is not a safetensors file",
    ),
    "garbage experiment": (lambda at: _experiment(at, b"\x00\xff"), "is not an experiment"),
    "words": (lambda at: _experiment(at, b"just words"), "is not an experiment"),
    "broken YAML": (lambda at: _experiment(at, b"a: [1"), "is not an experiment"),
    "code in YAML": (lambda at: _experiment(at, EVIL_YAML), "is not an experiment"),
    "another experiment": (
        lambda at: toy_yaml(at, views={"text": None, "audio": {"coefficients": 13}}).rename(
            at / "experiment.yaml"
        ),
        "weights do not fit the model: 5 misshapen: .* Are they of another experiment",
    ),
    "another view": (
        lambda at: toy_yaml(at).rename(at / "experiment.yaml"),
        r"weights do not fit the model: \d+ missing: encoders.text",
    ),
    "calibration": (
        lambda at: (at / "calibration.json").write_text("{}"),
        r"calibration.json: .*; delete it, or train again",
    ),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_that_is_none(capsys, tmp_path, name):
    """Trap: strict=False hides a wrong checkpoint."""
    spoil, says = CHECKPOINTS[name]
    shutil.copytree("detector", tmp_path / "spoilt")
    spoil(tmp_path / "spoilt")
    out = tmp_path / "scores"
    for words in (("score", GOOD), ("eval", "--on", "toy/eval", "--out", out, "--quiet")):
        line = refused(capsys, *words, "--detector", tmp_path / "spoilt")
        assert "spoilt" in line and re.search(says, line), line
    assert not list(tmp_path.rglob("trace")) and not list(tmp_path.rglob("*.tsv"))


@pytest.mark.parametrize("name", ["garbage", "code", "absent"])
def test_a_published_or_pretrained_file_that_is_none(capsys, tmp_path, name):
    """Pickled code in a checkpoint is not executed."""
    path = tmp_path / "model.pth"
    if name == "garbage":
        path.write_bytes(b"nonsense" * 50)
    elif name == "code":
        torch.save({"weight": torch.ones(1), "more": Malicious(tmp_path / "trace")}, path)
    assert "model.pth: " in refused(capsys, "score", GOOD, "--detector", path)
    view = ("--view", f"text=xlsr:pretrained={path}", "--out", tmp_path / "run")
    assert "model.pth" in train(capsys, *view)
    assert not (tmp_path / "trace").exists() and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file or directory; a YAML file is needed"),
        (b"\xff\xfe\x00", "is not text; a YAML file is needed"),
        (b"a: [1", "not YAML"),
        (b"words", "must hold keys and values"),
        (EVIL_YAML, "not YAML"),
    ],
)
def test_a_config_that_is_none(capsys, tmp_path, content, says):
    path = tmp_path / "own.yaml"
    if content is not None:
        path.write_bytes(content)
    line = refused(capsys, "train", "--config", path)
    assert f"{path}: " in line and says in line
