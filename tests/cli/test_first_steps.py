"""`init`, `recipes` and `completion`: what a newcomer calls first."""

import subprocess

import pytest
from command_line import amsdf, refused

from amsdf.config import Experiment, recipe_names


def test_init_writes_what_train_takes_and_overwrites_nothing(capsys, tmp_path):
    file = tmp_path / "mine.yaml"
    done = amsdf(capsys, "init", str(file), "--recipe", "demo", "--loss", "acs", "--epochs", "3")
    assert done.status == 0 and f"--config {file}" in done.out
    experiment = Experiment.from_yaml(file.read_text())
    assert experiment.loss.name == "acs" and experiment.train.epochs == 3
    assert amsdf(capsys, "train", "--config", str(file), "--dry-run").status == 0

    file.write_text("name: mine\n")
    assert "is there already" in refused(capsys, "init", str(file))
    assert file.read_text() == "name: mine\n"


def test_init_without_a_wish_writes_small_pretrained_views(capsys, tmp_path):
    file = tmp_path / "experiment.yaml"
    assert amsdf(capsys, "init", str(file)).status == 0
    assert set(Experiment.from_yaml(file.read_text()).views) == {"audio", "emotion", "text"}


def test_recipes_are_listed_and_shown(capsys):
    lines = amsdf(capsys, "recipes").out.splitlines()
    assert [line.split()[0] for line in lines[: len(recipe_names())]] == recipe_names()
    assert amsdf(capsys, "recipes", "aasist").out.startswith("# AASIST (Jung et al.")
    assert "Did you mean" in refused(capsys, "recipes", "aasits")


@pytest.mark.parametrize(
    ("words", "wanted"), [(["amsdf", "tra"], "train"), (["amsdf", "train", "--rec"], "--recipe")]
)
def test_bash_completes_commands_and_flags(capsys, tmp_path, words, wanted):
    script = tmp_path / "amsdf.bash"
    script.write_text(amsdf(capsys, "completion", "bash").out)
    asked = (
        f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
        '_shtab_amsdf; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert wanted in done.stdout.split()
