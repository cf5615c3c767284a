"""Two processes on CPUs: one run folder, the steps and numbers of one process, no one left waiting.

A process that waits for ever makes these tests time out.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from golden_names import close
from pairs import finish, free_port, refusals, start_two
from toys import TOY, plan, same_weights, toy_corpus, toy_experiment, toy_manifest
from two_processes import EXACT, NORMED, STATISTICS
from two_sharded import SHARDED

from amsdf.config import merge
from amsdf.data.batching import EpochBatches
from amsdf.detector.detector import Detector
from amsdf.detector.storage import checkpoint
from amsdf.metrics import eer
from amsdf.training.selection.validation import score_with_all_processes
from amsdf.training.trainer import train

TESTS = Path(__file__).parents[1]
MAIN = TESTS.parent / "main.py"
CLIPS = 7
#: Of the corpus `torn`: a clip of the second process in dev, any one in train.
TORN = ("train_3_spoof", "dev_2_spoof")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Where two processes have done all of `two_processes.run`."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("toy", "torn"):
        toy_corpus(folder / name, CLIPS)
    for utt in TORN:
        (folder / f"torn/audio/{utt}.wav").write_bytes(b"no sound")
    done = finish(start_two(str(TESTS / "two_processes.py"), str(folder)))
    assert [status for status, *_ in done] == [0, 0], done[0][2] + done[1][2]
    return folder


@pytest.fixture(scope="module")
def seen(root) -> list[dict]:
    return [json.loads((root / f"seen-{rank}.json").read_text()) for rank in (0, 1)]


def flat(tensors: Mapping[Any, torch.Tensor]) -> torch.Tensor:
    """All in a row: where a gradient is nothing but rounding, its weights count for little."""
    return torch.cat([tensors[key].flatten().double() for key in sorted(tensors)])


def weights(folder: Path) -> torch.Tensor:
    return flat(checkpoint.read_weights(folder))


def events(folder: Path, event: str) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize("name", EXACT)
def test_two_processes_train_as_one(root, name):
    """Steps, losses and weights: also where shares are uneven, and for what is unfrozen later."""
    alone = train(toy_experiment(**EXACT[name]), plan(root, f"{name}-alone"))
    one, two = root / f"{name}-alone", root / name
    assert events(two, "epoch")[-1]["step"] == alone.step
    for first, second in zip(events(one, "epoch"), events(two, "epoch"), strict=True):
        assert second["step"] == first["step"]
        if name != "centroid":  # its loss compares clips with all that were seen before
            assert second["loss"] == pytest.approx(first["loss"], rel=1e-5)
    close(weights(two / "last"), weights(one / "last"))


def test_running_statistics_are_of_the_clips_of_all_processes(root):
    train(toy_experiment(**STATISTICS), plan(root, "statistics-alone"))
    alone, both = (
        checkpoint.read_weights(root / name / "last") for name in ("statistics-alone", "statistics")
    )
    first = next(
        name
        for name, _ in Detector.build(toy_experiment(**STATISTICS)).named_buffers()
        if name.endswith("running_mean")
    )
    assert alone[first].abs().sum() > 0
    close(both[first], alone[first])


def test_evaluation_on_two_processes_equals_one(root, seen):
    """Trap: trials repeated by DistributedSampler. Each once, and all processes know all scores."""
    dev = toy_manifest(root / "toy", "dev")
    scores = score_with_all_processes(Detector.from_pretrained(root / "normed/best"), dev, 0)
    assert len(scores) == 2 * CLIPS
    assert seen[0]["scores"] == seen[1]["scores"] == pytest.approx(scores.tolist(), rel=1e-5)
    labels = dev.table["label"].to_numpy()
    best = min(line["eer"] for line in events(root / "normed", "dev"))
    assert best == eer(scores[labels == 1], scores[labels == 0]).rate


def test_batch_statistics_of_a_mean_are_estimated_by_all(root, seen):
    """No process waits while another passes over the whole training set."""
    assert sorted(seen[0]["estimated"] + seen[1]["estimated"]) == list(range(2 * CLIPS))
    assert min(len(each["estimated"]) for each in seen) == CLIPS
    assert all(
        value.isfinite().all() for value in checkpoint.read_weights(root / "mean/best").values()
    )


def test_two_processes_make_one_run(root, seen):
    """Trap: torchrun starts N separate runs. Nothing is logged or listed twice."""
    steps = NORMED["train"]["epochs"] * -(-2 * CLIPS // NORMED["train"]["batch_size"])
    assert seen[0]["steps"] == seen[1]["steps"] == steps
    assert len(events(root / "normed", "epoch")) == len(events(root / "normed", "dev")) == 2
    left = sorted(path.name for path in (root / "normed").iterdir())
    assert left == ["best", "environment.json", "experiment.yaml", "last", "log.jsonl"]


@pytest.mark.parametrize(
    ("what", "words"),
    [("again", "holds a run already"), ("train", TORN[0]), ("dev", TORN[1])],
)
def test_what_stops_one_process_stops_both(seen, what, words):
    """A folder only the first looks at, clips that only one of them reads."""
    assert words in seen[0][what]
    assert seen[0][what] == seen[1][what]


@pytest.fixture(scope="module")
def sharded(tmp_path_factory) -> Path:
    """Where two processes have done `two_sharded.run`."""
    folder = tmp_path_factory.mktemp("sharded")
    toy_corpus(folder / "toy", CLIPS)
    done = finish(start_two(str(TESTS / "two_sharded.py"), str(folder)))
    assert [status for status, *_ in done] == [0, 0], done[0][2] + done[1][2]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARDED)
def test_weights_in_shards_train_as_whole_ones(sharded, name):
    """And are saved whole: weights, averages and optimiser states are those of one process."""
    train(toy_experiment(**SHARDED[name]), plan(sharded, f"{name}-alone"))
    for part in ("last", "best"):
        close(weights(sharded / name / part), weights(sharded / f"{name}-alone" / part))
    one, two = (
        torch.load(sharded / folder / "last/training.pt", weights_only=True)["optimizers"][0]
        for folder in (f"{name}-alone", name)
    )
    assert one["state"].keys() == two["state"].keys()
    for kind in {kind for entry in one["state"].values() for kind in entry}:
        close(*(flat({k: v[kind] for k, v in each["state"].items()}) for each in (two, one)))


@pytest.mark.slow
def test_a_run_in_shards_resumes_to_the_same_bits(sharded):
    """Trap: resume loses epochs."""
    assert same_weights(sharded / "stack/last", sharded / "stopped/last")
    assert same_weights(sharded / "stack/best", sharded / "stopped/best")


def test_every_process_gets_clips_of_every_batch():
    batches = EpochBatches(0, np.arange(6), np.array([5, 6]))
    shares = [batches.of_process(rank, 3) for rank in range(3)]
    assert [share[0] for share in shares] == [[(0, 0), (0, 3)], [(0, 1), (0, 4)], [(0, 2)]]
    assert [share[1] for share in shares] == [[(0, 5)]] * 3
    assert list(batches.of_process(0, 1)) == list(batches)
    assert list(shares[2].after(1)) == [[(0, 5)]]


@pytest.fixture
def toy_yaml(tmp_path) -> Path:
    toy_corpus(tmp_path / "toy", CLIPS)
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(TOY))
    return path


def train_words(config: Path, out: str, *more: str) -> list[str]:
    folder = config.parent
    words = ["--config", str(config), "--data", f"toy={folder / 'toy'}", "--quiet", *more]
    return [str(MAIN), "train", *words, "--out", str(folder / out)]


def test_the_command_speaks_once(toy_yaml):
    """A refusal comes from one process, closing lines from the first alone; status 2 from both."""
    done = finish(start_two(*train_words(toy_yaml, "run", "--set", "train.epohcs=3")))
    assert [status for status, *_ in done] == [2, 2]
    # Where the first process ends before the other asks whether it has spoken, both say the same.
    (refusal,) = {words for words in (refusals(error) for *_, error in done) if words}
    assert "no key 'train.epohcs'" in refusal


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_the_launchers_make_one_run(toy_yaml, launcher):
    words = {
        "torchrun": ["torch.distributed.run", "--nproc_per_node=2", "--master_port"],
        "accelerate": [
            *("accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1"),
            *("--mixed_precision=no", "--dynamo_backend=no", "--main_process_port"),
        ],
    }[launcher]
    done = subprocess.run(
        [sys.executable, "-m", *words, str(free_port()), *train_words(toy_yaml, "run")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("detector: ") == 1
    assert (toy_yaml.parent / "run/best/calibration.json").is_file()
    epochs = events(toy_yaml.parent / "run", "epoch")
    assert [line["step"] for line in epochs] == [4, 8, 12]


@pytest.mark.slow
def test_two_processes_do_a_study_together(toy_yaml):
    """Each run by both; then the first goes on alone, and nothing is printed twice."""
    folder = toy_yaml.parent
    study = {"recipes": [str(toy_yaml)], "seeds": [1, 2], "eval": ["toy/eval"]}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    words = train_words(toy_yaml, "out")[4:]
    done = finish(start_two(str(MAIN), "study", str(folder / "study.yaml"), *words))
    assert [status for status, *_ in done] == [0, 0], done[0][2] + done[1][2]
    assert done[0][1].count("dev EER") == 2 and done[1][1] == ""
    assert (folder / "out/table.csv").read_text().startswith("recipe,loss,seeds,dev,toy/eval")
    assert len(events(folder / "out/toy-oc-softmax-seed2", "epoch")) == 3


@pytest.mark.slow
def test_a_killed_run_of_two_resumes_to_the_same_bits(toy_yaml):
    """Trap: resume loses epochs. Both killed with -9 in mid-epoch."""
    folder = toy_yaml.parent
    extras = {"train": {"save_steps": 1, "ema": 0.9, "bonafide_share": 0.5}}
    toy_yaml.write_text(yaml.safe_dump(merge(TOY, extras)))
    whole = finish(start_two(*train_words(toy_yaml, "whole")))
    assert [status for status, *_ in whole] == [0, 0], whole[0][2]
    pair = start_two(*train_words(toy_yaml, "killed"))
    deadline = time.time() + 120
    while not (folder / "killed/last/training.pt").exists() and time.time() < deadline:
        time.sleep(0.002)
    for process in pair:
        process.send_signal(signal.SIGKILL)
    assert [status for status, *_ in finish(pair)] == [-9, -9]
    done = finish(start_two(*train_words(toy_yaml, "killed", "--resume")))
    assert [status for status, *_ in done] == [0, 0], done[0][2]
    for part in ("last", "best"):
        assert same_weights(folder / "whole" / part, folder / "killed" / part)
