"""`plugins`, `doctor` and `corpora`: quick, complete, and honest about what is broken."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import amsdf
from toys import toy_corpus

from amsdf import registry
from amsdf.cli.terminal.plugin_sources import source_summary
from amsdf.config import recipe_names

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("words", [["plugins"], ["doctor"], ["corpora"], ["plugins", "ebm"]])
def test_questions_are_answered_at_once(words):
    """In less than two seconds of processor time, and without torch."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "main.py", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr[-500:]
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "amsdf.cli.main" in modules and not modules & {"torch", "transformers"}
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


def test_plugins_lists_all_and_shows_one(capsys):
    done = amsdf(capsys, "plugins")
    assert done.status == 0
    for kind in registry.KINDS:
        assert f"\n{kind}\n" in done.out
        assert all(f"  {name}" in done.out for name in registry.names(kind))
    assert all(f"  {name}" in done.out.split("\nrecipes\n")[1] for name in recipe_names())
    assert "ebm                EBM (Kim et al., Interspeech 2025): all layers" in done.out
    assert amsdf(capsys, "plugins", "--check").out == done.out
    done = amsdf(capsys, "plugins", "oc-softmax")
    assert done.status == 0 and "alpha: float = 20.0" in done.out
    assert amsdf(capsys, "plugins", "in-the-wild").status == 0


def test_a_name_of_a_head_and_a_recipe_shows_both(capsys):
    shown = amsdf(capsys, "plugins", "aasist").out
    assert "head aasist\n" in shown and "recipe aasist\n\n# AASIST (Jung" in shown


@pytest.mark.parametrize("kind", registry.KINDS)
def test_the_source_says_what_the_loaded_plugin_says(kind):
    told = [status for status in registry.status(source_summary) if status.kind == kind]
    assert told == [status for status in registry.status() if status.kind == kind]


def test_a_broken_plugin_changes_the_exit_status_of_plugins_and_doctor(capsys, monkeypatch):
    broken = registry.PluginStatus("heads", "odd", "odd:Odd", "odd 1.0", "", "head 'odd' is broken")
    optional = "encoder 'rare' needs 'peft', which is not installed: pip install 'amsdf[peft]'"
    absent = registry.PluginStatus("encoders", "rare", "a:B", "amsdf 1", "", optional)
    lines = registry.HOW_TO_INSTALL["fairseq"]
    built = registry.PluginStatus("encoders", "old", "a:B", "1", "", lines)
    for statuses, expected in (([broken, absent], 1), ([absent], 0), ([absent, built], 0)):
        monkeypatch.setattr(registry, "status", lambda _how, statuses=statuses: statuses)
        for command in ("plugins", "doctor"):
            done = amsdf(capsys, command)
            assert done.status == expected and statuses[-1].problem in done.out, command


@pytest.fixture
def place(tmp_path, monkeypatch):
    toy_corpus(tmp_path / "toy", clips=1)
    (tmp_path / "data.yaml").write_text("toy: toy\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMSDF_DATA", raising=False)
    return tmp_path


def test_doctor_says_what_is_there_and_what_to_do_about_the_rest(capsys, place, monkeypatch):
    monkeypatch.setenv("AMSDF_PRETRAINED", str(place / "toy"))
    done = amsdf(capsys, "doctor", "--data", "gone=/nowhere")
    assert done.status == 0
    assert "package torch: " in done.out and "plugins: " in done.out
    assert "xlsr2_300m.pt: not here; for amsdf" in done.out
    assert "pretrained_models/README.md" in done.out
    assert f"toy: {place / 'toy'}\n" in done.out and "gone: /nowhere (does not exist)" in done.out
    monkeypatch.setattr("amsdf.registry.package_version", lambda name: None)
    done = amsdf(capsys, "doctor")
    assert done.status == 1 and "package polars: missing; pip install -r" in done.out


def test_doctor_sees_a_graphics_card_without_torch_and_with_it(capsys, place, monkeypatch):
    tool = place / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho Card One\necho Card Two\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=":")
    (line,) = [x for x in amsdf(capsys, "doctor").out.splitlines() if x.startswith("devices: ")]
    assert "cores), Card One, Card Two; `doctor --check` says which torch can use" in line
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda index: f"Card {index}")
    checked = amsdf(capsys, "doctor", "--check")
    assert checked.status == 0 and " threads), Card 0\n" in checked.out
    assert " load\n" in checked.out
