"""Pretrained files by name: our folders, then openai-whisper's cache, then its download."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import whisper
from whisper.model import ModelDimensions, Whisper

from amsdf.cli.main import main
from amsdf.detector.storage.pretrained import find_pretrained
from amsdf.detector.storage.pretrained_views import architecture_of


@pytest.fixture
def published(tmp_path, monkeypatch) -> Path:
    """openai's server as a folder: the one model it has, under the names `turbo` and `tiny`."""
    model = Whisper(ModelDimensions(8, 100, 16, 2, 1, 50, 8, 16, 2, 1))
    file = tmp_path / "model.pt"
    torch.save({"dims": asdict(model.dims), "model_state_dict": model.state_dict()}, file)
    folder = tmp_path / "server" / hashlib.sha256(file.read_bytes()).hexdigest()
    folder.mkdir(parents=True)
    file = file.rename(folder / "large-v3-turbo.pt")
    monkeypatch.setattr(whisper, "_MODELS", dict.fromkeys(("turbo", "tiny"), file.as_uri()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AMSDF_PRETRAINED", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    return file


@pytest.mark.parametrize("name", ["turbo", "turbo.pt"])
def test_a_name_is_downloaded_once(published, tmp_path, name):
    content = published.read_bytes()
    path = find_pretrained("whisper", name)
    assert path == tmp_path / "cache" / "whisper" / "large-v3-turbo.pt"
    published.unlink()
    assert find_pretrained("whisper", name).read_bytes() == content
    assert architecture_of("whisper", name)["width"] == 16


def test_our_folders_come_first(published, tmp_path):
    mine = tmp_path / "mine" / "large-v3-turbo.pt"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert find_pretrained("whisper", "turbo") == mine
    assert not (tmp_path / "cache").exists()


def test_without_a_network_one_line_says_what_to_put_where(published, capsys):
    published.unlink()
    with pytest.raises(ValueError) as seen:
        find_pretrained("whisper", "turbo")
    assert "\n" not in str(seen.value)
    for part in ("'turbo' is not here", "put large-v3-turbo.pt from file:", "$AMSDF_PRETRAINED"):
        assert part in str(seen.value)


def test_another_file_under_that_name_is_refused(published, tmp_path):
    published.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"'turbo' is not here and cannot be downloaded .*SHA256"):
        find_pretrained("whisper", "turbo")
    assert not list((tmp_path / "cache" / "whisper").iterdir())


@pytest.mark.parametrize(("encoder", "name"), [("xlsr", "tiny"), ("whisper", "tiny.onnx")])
def test_other_names_are_not_downloaded(published, encoder, name):
    with pytest.raises(ValueError, match=f"{name}' is not here; put it into pretrained_models/"):
        find_pretrained(encoder, name)


def test_a_dry_run_downloads_nothing(published, tmp_path, capsys):
    words = ["train", "--recipe", "demo", "--view", "text=whisper:pretrained=tiny", "--dry-run"]
    assert main(words) == 0
    assert "pretrained file 'tiny' is not here" in capsys.readouterr().out
    assert not (tmp_path / "cache").exists()
