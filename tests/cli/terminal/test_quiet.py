"""`--quiet`: nothing but results, from the libraries as well."""

import os

import pytest
import torch
from toys import toy_corpus
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC
from transformers.utils import logging

from amsdf.cli import main

ENVIRONMENT = ("TRANSFORMERS_VERBOSITY", "HF_HUB_DISABLE_PROGRESS_BARS")


@pytest.fixture
def speech_folder(tmp_path):
    """A Hugging Face model with a head that is left out, of which its library reports."""
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=[8] * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        vocab_size=5,
    )
    torch.manual_seed(0)
    Wav2Vec2ForCTC(config).save_pretrained(tmp_path / "speech")
    return tmp_path / "speech"


@pytest.fixture(autouse=True)
def loud_libraries(monkeypatch):
    """Their own verbosity, set back afterwards."""
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "")
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_warning()
    logging.enable_progress_bar()
    yield
    logging.set_verbosity(verbosity)
    if not bars:
        logging.disable_progress_bar()


def test_hugging_face_is_silent(caplog, capsys, tmp_path, monkeypatch, speech_folder):
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=2)
    parts = f"--view text=speech-model:pretrained={speech_folder} --head pool-linear"
    data = "--train toy/train --dev toy/dev --set clip.samples=8000 --epochs 1 --batch-size 4"
    words = ["train", *parts.split(), *data.split(), "--out"]

    assert main.main([*words, "loud"]) == 0
    assert "LOAD REPORT" in caplog.text and capsys.readouterr().err
    caplog.clear()

    assert main.main([*words, "quiet", "--quiet"]) == 0
    assert caplog.text == "" and capsys.readouterr().err == ""
    assert [os.environ[name] for name in ENVIRONMENT] == ["error", "1"], "for its processes"
