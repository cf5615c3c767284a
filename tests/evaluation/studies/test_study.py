"""Studies: which runs a file means, their table by hand, and a small one from end to end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from toys import TOY, toy_corpus

from amsdf.cli.main import main
from amsdf.config import merge
from amsdf.detector.detector import Detector
from amsdf.evaluation.studies.study import (
    Cell,
    CellResult,
    Study,
    cells,
    read_study,
)
from amsdf.report.study_tables import best_on_dev, runs_table, study_table
from amsdf.report.table import to_csv, to_text
from amsdf.testing import waveforms

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "scripts/studies").glob("*.yaml"))


def unknown(encoder: str, file: str) -> dict[str, object]:
    """The architecture of pretrained files that are not here."""
    return {}


def grid(**given) -> list[Cell]:
    return cells(Study.parse({"recipes": ["aasist-l"], **given}), unknown)


def test_every_recipe_loss_and_seed_is_a_run():
    found = grid(
        recipes=["lfcc-resnet18-oc", {"recipe": "aasist-l", "name": "light"}],
        losses=["cross-entropy", {"name": "oc-softmax", "alpha": 10}],
        seeds=[3, 4],
        overrides={"train": {"epochs": 2}},
        train=["mine/train"],
        dev=["mine/dev"],
    )
    assert [cell.name for cell in found] == [
        f"{recipe}-{loss}-seed{seed}"
        for recipe in ("lfcc-resnet18-oc", "light")
        for loss in ("cross-entropy", "oc-softmax-alpha-10")
        for seed in (3, 4)
    ]
    experiments = [cell.experiment for cell in found]
    assert [experiment.seed for experiment in experiments] == [3, 4] * 4
    assert all(experiment.train.epochs == 2 for experiment in experiments)
    assert all(experiment.train.corpora == ["mine/train"] for experiment in experiments)
    assert all(experiment.dev == ["mine/dev"] for experiment in experiments)


def test_a_loss_takes_arguments_and_centre_optimiser_from_its_own_recipe_only():
    softmax, own = grid(recipes=["lfcc-resnet18-oc"], losses=["cross-entropy", "oc-softmax"])
    assert softmax.experiment.train.centre is None and softmax.experiment.loss.args == {}
    assert own.experiment.train.centre and own.experiment.loss.args["alpha"] == 20
    (light,) = grid(losses=["cross-entropy"])
    assert light.experiment.loss.args == {"weights": [0.1, 0.9]}


def test_without_losses_each_recipe_keeps_its_own():
    found = grid(recipes=["lfcc-resnet18-oc", "lfcc-resnet18-softmax"])
    assert [cell.loss for cell in found] == ["oc-softmax", "cross-entropy"]
    assert found[0].experiment.dev == ["asvspoof2019-la/dev"]


def test_base_stands_for_one_recipe():
    study = Study.parse({"base": {"recipe": "aasist-l", "clip": {"samples": 32000}}})
    (cell,) = cells(study, unknown)
    assert cell.recipe == "aasist-l" and cell.experiment.clip.samples == 32000


def test_what_a_pretrained_file_decides_is_written_into_the_experiment():
    study = Study.parse({"recipes": ["xlsr-acs"]})
    (cell,) = cells(study, lambda encoder, file: {"hidden": 64} if encoder == "xlsr" else {})
    assert cell.experiment.views["text"].args["hidden"] == 64


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"losess": []}, r"no key 'losess'\. Did you mean 'losses'\? Keys: name, recipes"),
        ({"base": "aasist"}, "base and recipes are both given"),
        ({"recipes": []}, "recipes: Tuple should have at least 1 item"),
        ({"seeds": ["one"]}, r"seeds\.0: Input should be a valid integer.*given: 'one'"),
        ({"seeds": [1, 1]}, "two runs are called 'aasist-l-cross-entropy-seed1'"),
        ({"recipes": ["asist-l"]}, r"no recipe named 'asist-l'\. Did you mean 'aasist-l'"),
        ({"losses": ["oc-sotfmax"]}, "Did you mean 'oc-softmax'"),
        ({"losses": [{"name": "acs", "momentun": 1}]}, "Did you mean 'momentum'"),
        ({"overrides": {"train": {"epohcs": 2}}}, r"no key 'train\.epohcs'.*'epochs'"),
        ({"recipes": [{"recipe": "aasist-l", "clp": {}}]}, r"no key 'clp'.*'clip'"),
    ],
)
def test_a_wrong_study_is_refused_before_anything_is_trained(changes, words):
    with pytest.raises(ValueError, match=words):
        grid(**changes)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_studies_parse(path):
    study = read_study(path)
    found = cells(study, unknown)
    assert len(found) == len(study.recipes) * max(1, len(study.losses)) * len(study.seeds)
    assert study.eval or study.folds


def test_the_small_study_builds_detectors_that_train_and_score():
    for cell in cells(read_study(ROOT / "scripts/studies/small.yaml"), unknown):
        if (cell.loss, cell.experiment.seed) != ("oc-softmax", 1):
            continue
        torch.manual_seed(0)
        detector = Detector.build(cell.experiment)
        clips = waveforms(2, cell.experiment.clip.samples)
        detector.loss(detector(clips), torch.tensor([1, 0])).backward()
        assert torch.isfinite(detector.eval().score(clips)).all()


def result(recipe: str, seed: int, dev: float | None, eer: float | None, problem: str = ""):
    (cell,) = grid(recipes=[{"recipe": "aasist-l", "name": recipe}], seeds=[seed])
    return CellResult(cell, dev, {"far": eer}, problem)


def test_the_table_by_hand():
    """Mean and sample deviation over the seeds that ended; inverted detectors are not folded."""
    results = [
        result("a", 1, 0.10, 0.30),
        result("a", 2, 0.20, 0.40),
        result("b", 1, 0.15, 0.80),
        result("b", 2, None, None, "no disk"),
        result("c", 1, 0.15, None),
    ]
    table = study_table(results, ["far", "near"])
    assert table.header == ("recipe", "loss", "seeds", "dev", "far", "near")
    assert table.rows == (
        ("a", "cross-entropy", "2", "15.00 ± 7.07", "35.00 ± 7.07", "–"),
        ("b", "cross-entropy", "1 of 2", "15.00", "80.00 !", "–"),
        ("c", "cross-entropy", "1", "15.00", "–", "–"),
    )
    assert "35.00 ± 7.07" in to_text(table)
    lines = to_csv(runs_table(results, ["far"])).splitlines()
    assert lines[0] == "run,dev EER (%),far EER (%),problem"
    assert lines[2] == "a-cross-entropy-seed2,20,40,"
    assert lines[4] == "b-cross-entropy-seed2,,,no disk"


def test_the_best_on_dev_has_all_its_runs():
    """One that failed, or was given up, with one seed is not the best with the other."""
    results = [
        result("a", 1, 0.10, 0.30),
        result("a", 2, 0.20, 0.10),
        result("b", 1, 0.01, 0.10),
        result("b", 2, None, None, "no disk"),
        result("c", 1, 0.14, 0.40),
    ]
    assert best_on_dev(results) == "best on dev: c cross-entropy (EER 14.00 %)"
    results[-1].given_up = True
    assert best_on_dev(results) == "best on dev: a cross-entropy (EER 15.00 %)"
    assert best_on_dev(results[2:]) == "best on dev: none, no draw came to its end"


@pytest.fixture
def study_yaml(tmp_path) -> Path:
    """A toy study of five runs, one of which has no corpus to train on."""
    toy_corpus(tmp_path / "toy", clips=4)
    small = merge(TOY, {"views": {"text": None}, "train": {"epochs": 2, "save_steps": 1}})
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small))
    recipe = str(tmp_path / "small.yaml")
    study = {
        "recipes": [recipe, {"recipe": recipe, "name": "lost", "train": {"corpora": ["gone"]}}],
        "losses": ["oc-softmax", "cross-entropy"],
        "seeds": [1, 2],
        "eval": ["toy/eval"],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    return tmp_path / "study.yaml"


def words_for(path: Path) -> list[str]:
    folder = path.parent
    words = ["--out", str(folder / "out"), "--data", f"toy={folder / 'toy'}", "--quiet"]
    return ["study", str(path), *words]


def times(folder: Path) -> dict[Path, int]:
    kinds = ("best/model.safetensors", "last/training.pt", "scores/*/*.tsv")
    return {path: path.stat().st_mtime_ns for kind in kinds for path in folder.rglob(kind)}


def test_a_study_from_end_to_end(study_yaml, capsys):
    """Trap: exit 0 after failure. What failed is listed; what is done is kept."""
    out = study_yaml.parent / "out"
    assert main(words_for(study_yaml)) == 1
    told = capsys.readouterr().out
    assert "failed: lost-oc-softmax-seed1: no corpus named 'gone'" in told
    assert (out / "small-oc-softmax-seed2/best/calibration.json").is_file()
    rows = (out / "table.csv").read_text().splitlines()
    assert rows[0] == "recipe,loss,seeds,dev,toy/eval"
    assert rows[1].startswith("small,oc-softmax,2,") and "±" in rows[1]
    assert rows[3] == "lost,oc-softmax,0 of 2,–,–"
    assert {"table.md", "table.tex", "runs.csv"} <= {path.name for path in out.iterdir()}
    before = times(out)
    assert len(before) == 12
    assert main(words_for(study_yaml)) == 1
    assert times(out) == before
    assert (out / "table.csv").read_text().splitlines() == rows


def test_a_run_of_another_experiment_is_not_taken_for_this_one(study_yaml, capsys):
    study = {**yaml.safe_load(study_yaml.read_text()), "seeds": [1], "losses": ["oc-softmax"]}
    study["recipes"] = study["recipes"][:1]
    study_yaml.write_text(yaml.safe_dump(study))
    assert main(words_for(study_yaml)) == 0
    study_yaml.write_text(yaml.safe_dump({**study, "overrides": {"train": {"epochs": 1}}}))
    capsys.readouterr()
    assert main(words_for(study_yaml)) == 1
    said = capsys.readouterr().out
    assert "is a run of another experiment (train.epochs: 2 in the run, 1 given);" in said


def test_a_finished_run_of_other_data_is_not_taken_for_this_one(study_yaml, capsys):
    """Trap: stale result of another model."""
    study = {**yaml.safe_load(study_yaml.read_text()), "seeds": [1], "losses": ["oc-softmax"]}
    study_yaml.write_text(yaml.safe_dump({**study, "recipes": study["recipes"][:1]}))
    assert main(words_for(study_yaml)) == 0
    note = json.loads((study_yaml.parent / "out/small-oc-softmax-seed1/finished.json").read_text())
    assert note["data"]["toy/train"]["clips"] == 8
    toy = study_yaml.parent / "toy/manifest.csv"
    lines = toy.read_text().splitlines()
    toy.write_text("\n".join(line for line in lines if "dev_3" not in line) + "\n")
    capsys.readouterr()
    assert main(words_for(study_yaml)) == 1
    assert "seed1: its run had other data as toy/dev; give the same" in capsys.readouterr().out


@pytest.mark.slow
def test_an_interrupted_study_goes_on_where_it_was(study_yaml):
    """Stopped in mid-training: status 130; then the run is resumed, not begun again."""
    study = yaml.safe_load(study_yaml.read_text())
    study |= {"recipes": study["recipes"][:1], "overrides": {"train": {"epochs": 60}}}
    study_yaml.write_text(yaml.safe_dump({**study, "seeds": [1], "losses": ["oc-softmax"]}))
    run = study_yaml.parent / "out/small-oc-softmax-seed1"
    words = [sys.executable, str(ROOT / "main.py"), *words_for(study_yaml)]
    process = subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.time() + 120
    while not (run / "last/training.pt").exists() and time.time() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not (run / "finished.json").exists()
    begun = (run / "environment.json").stat().st_mtime_ns
    assert main(words_for(study_yaml)) == 0
    assert (run / "environment.json").stat().st_mtime_ns == begun
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["event"] == "epoch"] == list(range(1, 61))
