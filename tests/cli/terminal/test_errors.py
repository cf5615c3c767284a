"""Whatever goes wrong is one line and status 2, and a reader that leaves loses nobody's work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_line import SMALL, amsdf, refused, toy_detector
from safetensors.torch import save_file
from toys import toy_corpus

from amsdf.cli.terminal.errors import line_of
from amsdf.scoring.judging.judge import Judge
from amsdf.scoring.score_files.table import read_scores

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("failures")
    toy_corpus(home / "toy", clips=60)
    toy_detector(home / "detector", **SMALL)
    return home


def cuda_memory():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.\nMore.")


def cpu_memory():
    torch.empty(1 << 60)


def library_error():
    save_file({"weight": torch.zeros(9)}, f"{__file__}/none")


def no_room():
    with open("/dev/full", "w") as file:
        file.write("x" * 100_000)


@pytest.mark.parametrize(
    ("fail", "says"),
    [
        (cuda_memory, "out of memory; lower --batch-size (CUDA out of memory. Tried to allocate 2"),
        (cpu_memory, "out of memory; lower --batch-size ("),
        (no_room, "the disk is full or took no more; make room and start again"),
        (library_error, "failed unexpectedly: SafetensorError: "),
        (lambda: {}["key"], "failed unexpectedly: KeyError: 'key'; AMSDF_TRACEBACK=1 shows where"),
        (lambda: 1 // 0, "failed unexpectedly: ZeroDivisionError: "),
    ],
)
def test_what_nobody_foresaw_is_one_line(capsys, monkeypatch, fail, says):
    monkeypatch.setattr("amsdf.cli.plugins.run", lambda _args: fail())
    assert f"amsdf plugins: {says}" in refused(capsys, "plugins")
    monkeypatch.setenv("AMSDF_TRACEBACK", "1")
    with pytest.raises(BaseException) as caught:
        amsdf(capsys, "plugins")
    assert not isinstance(caught.value, SystemExit)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "out of memory; lower --batch-size"),
        (
            RuntimeError("DataLoader worker (pid(s) 71) exited unexpectedly"),
            "a process that reads audio was killed, mostly because memory ran out; lower --workers",
        ),
        (RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64"), "the disk"),
        (RuntimeError("PytorchStreamWriter failed writing file data/0"), "the disk is full"),
        (RuntimeError('IoError(Os { code: 28, kind: StorageFull, message: "No sp'), "the disk is"),
        (ValueError("Caught ValueError.\nOriginal Traceback (most\nValueError: a.wav"), "ValueErr"),
        (FileNotFoundError(2, "No such file or directory", "a"), "a: No such file or directory"),
    ],
)
def test_errors_of_libraries_have_a_remedy(error, says):
    line = line_of(error)
    assert line.startswith(says) and "\n" not in line


def test_without_the_packages_main_says_what_to_run():
    words = [sys.executable, "-S", "main.py", "score", "a.wav", "--detector", "b"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("run `make setup`, then `source .venv/bin/activate`\n")
    assert done.stderr.startswith("amsdf score: package '") and done.stderr.count("\n") == 1


def shell(home: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line of bash with `amsdf`; its last word is the status of the first command of a pipe."""
    amsdf = f'"{sys.executable}" "{ROOT / "main.py"}"'
    script = line.replace("amsdf", amsdf) + "; echo ${PIPESTATUS[0]}"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.run(
        ["bash", "-c", script],
        cwd=home, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("score toy/audio --out judged.tsv", "0"),
        ("score toy/audio", "141"),
        ("eval --on toy/eval --quiet", "0"),
        ("corpora", "0"),
    ],
)
def test_a_reader_that_leaves(home, words, status):
    """Results are finished, and nothing unfinished ends with status 0."""
    detector = "" if words == "corpora" else " --detector detector"
    done = shell(home, f"amsdf {words}{detector} | head -1")
    assert done.stdout.splitlines()[-1] == status and done.stderr == ""
    if "--out" in words:
        assert len(read_scores(home / "judged.tsv")) == 360
    if "eval" in words:
        assert len(read_scores(home / "scores/detector/toy__eval.tsv")) == 120


def test_a_stopped_score_keeps_what_it_did(capsys, home, tmp_path, monkeypatch):
    """Ctrl-C says that something is kept only where it is."""
    judge, judged = Judge.judge_stream, []

    def stop_at_the_third(self, stream, watch=iter):
        if len(judged) == 2:
            raise KeyboardInterrupt
        judged.append(Path(stream.name).name)
        return judge(self, stream, watch)

    monkeypatch.setattr(Judge, "judge_stream", stop_at_the_third)
    words = ("score", home / "toy/audio", "--detector", home / "detector")
    done = amsdf(capsys, *words, "--out", tmp_path / "a.tsv")
    assert done.status == 130 and done.err == "amsdf score: stopped; what was done is kept\n"
    assert read_scores(tmp_path / "a.tsv").table["utt"].to_list() == judged
    judged.clear()
    done = amsdf(capsys, *words)
    assert done.status == 130 and done.err == "amsdf score: stopped\n"
