"""Foreign code: a file never switches it on, whatever opens the file; the caller may."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import amsdf, refused
from golden_names import close
from toys import tone, toy_corpus, toy_experiment, write_wav
from transformers import AutoConfig, AutoModel

from amsdf.config import Experiment
from amsdf.detector.detector import Detector
from amsdf.detector.storage.loading import open_detector
from amsdf.testing import REPEATED, waveforms

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [8] * 7,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
OWN_CODE = """
from pathlib import Path
from transformers import Wav2Vec2Config, Wav2Vec2Model
Path({trace!r}).write_text("ran")
class OwnConfig(Wav2Vec2Config):
    model_type = "own-speech"
class OwnModel(Wav2Vec2Model):
    config_class = OwnConfig
"""
AUTO_MAP = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}


class Bait:
    """A model folder that brings code along, and a detector folder that points to it."""

    def __init__(self, folder: Path):
        self.trace, self.model = folder / "trace.txt", folder / "model"
        torch.manual_seed(0)
        AutoModel.from_config(AutoConfig.for_model("wav2vec2", **SIZES)).save_pretrained(self.model)
        own = {**json.loads((self.model / "config.json").read_text()), "model_type": "own-speech"}
        (self.model / "config.json").write_text(json.dumps({**own, "auto_map": AUTO_MAP}))
        (self.model / "own.py").write_text(OWN_CODE.format(trace=str(self.trace)))

        view = {"encoder": "speech-model", "config": {"model_type": "wav2vec2", **SIZES}}
        experiment = toy_experiment(views={"text": view, "audio": None})
        self.detector = folder / "detector"
        Detector.build(experiment).save_pretrained(self.detector)
        self.plain = experiment.model_dump(mode="json")

    def experiment(self, **changes: Any) -> dict[str, Any]:
        """The experiment with the model's own code in its view, and `changes` beside it."""
        config = {"model_type": "own-speech", **SIZES, "auto_map": AUTO_MAP}
        config["_name_or_path"] = str(self.model)
        view = {"encoder": "speech-model", "config": config, "pretrained": str(self.model)}
        return {**self.plain, "views": {"text": {**view, **changes}}}

    def set_bait(self, **changes: Any) -> None:
        """Write it into the detector folder."""
        path = self.detector / "experiment.yaml"
        path.write_text(yaml.safe_dump(self.experiment(**changes)))


@pytest.fixture
def bait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bait:
    monkeypatch.chdir(tmp_path)
    return Bait(tmp_path)


def score(bait: Bait) -> list[str]:
    write_wav(Path("one.wav"), tone(120))
    return ["score", "one.wav", "--detector", str(bait.detector)]


def evaluate(bait: Bait) -> list[str]:
    toy_corpus(Path("toy"), 2)
    return ["eval", "--detector", str(bait.detector), "--on", "toy/eval", "--data", "toy=toy"]


def train(bait: Bait) -> list[str]:
    toy_corpus(Path("toy"), 2)
    return ["train", "--config", str(bait.detector / "experiment.yaml"), "--data", "toy=toy"]


def dry_run(bait: Bait) -> list[str]:
    return [*train(bait), "--dry-run"]


def study(bait: Bait) -> list[str]:
    toy_corpus(Path("toy"), 2)
    Path("grid.yaml").write_text(f"base: {bait.detector / 'experiment.yaml'}\n")
    return ["study", "grid.yaml", "--data", "toy=toy"]


COMMANDS: list[Callable[[Bait], list[str]]] = [score, evaluate, train, dry_run, study]
SWITCHES: list[dict[str, Any]] = [
    {"trust_remote_code": True},
    {"code_folder": "model"},
    {},
]


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_a_detector_folder_runs_no_code(bait: Bait, changes: dict[str, Any]) -> None:
    """Trap 'remote code by default': neither by a switch in its experiment nor without one."""
    bait.set_bait(**changes)
    with pytest.raises(ValueError, match="trust") as error:
        Detector.from_pretrained(bait.detector)
    assert "\n" not in str(error.value) and not bait.trace.exists()


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_runs_it(command, changes, bait: Bait, capsys) -> None:
    bait.set_bait(**changes)
    done = amsdf(capsys, *command(bait))
    assert not bait.trace.exists()
    assert done.status != 0 and "trust" in done.out + done.err


@pytest.mark.parametrize(
    ("place", "data"),
    [
        ("view", {"views": {"text": {"encoder": "xlsr", "trust_remote_code": True}}}),
        ("args", {"views": {"text": {"encoder": "xlsr", "args": {"code_folder": "here"}}}}),
        ("deeper", {"views": {"t": {"encoder": "speech-model", "config": {"code_folder": "x"}}}}),
        ("off", {"views": {"text": {"encoder": "xlsr", "trust_remote_code": False}}}),
        (
            "loss",
            {
                "views": {"text": {"encoder": "xlsr"}},
                "loss": {"name": "weighted-sum", "parts": [{"trust_remote_code": True}]},
            },
        ),
    ],
)
def test_an_experiment_cannot_say_it(place: str, data: dict[str, Any]) -> None:
    for parse in (Experiment.parse, Experiment.model_validate):
        with pytest.raises(ValueError, match=r"(trust_remote_code|code_folder) cannot be set in"):
            parse(data)


def test_the_command_line_has_a_flag_and_no_key(bait: Bait, capsys) -> None:
    words = ["train", "--recipe", "demo", "--set", "views.text.trust_remote_code=true", "--dry-run"]
    line = refused(capsys, *words)
    assert "trust_remote_code cannot be set in an experiment" in line
    assert "give --trust-remote-code if you trust the model folder" in line


def test_the_callers_word_counts_and_is_not_kept(bait: Bait) -> None:
    bait.set_bait()
    detector = Detector.from_pretrained(bait.detector, trust_remote_code=True)
    assert bait.trace.read_text() == "ran"
    assert type(detector.encoder("text").model).__name__ == "OwnModel"
    _, again = open_detector(bait.detector, trust_remote_code=True)
    with torch.no_grad():
        close(again.score(waveforms(1, 8000)), detector.score(waveforms(1, 8000)), REPEATED)

    detector.save_pretrained("saved")
    text = Path("saved/experiment.yaml").read_text()
    assert "trust" not in text and "code_folder" not in text
    with pytest.raises(ValueError, match="give --trust-remote-code if you trust"):
        Detector.from_pretrained("saved")


@pytest.mark.parametrize("command", [score, evaluate, dry_run, train, study])
def test_the_flag_of_the_commands(command, bait: Bait, capsys) -> None:
    bait.set_bait()
    done = amsdf(capsys, *command(bait), "--trust-remote-code")
    assert bait.trace.exists() and done.status == 0, done


def test_trust_asks_for_nothing_where_no_code_is(tmp_path: Path, monkeypatch) -> None:
    """A pretrained file that is gone is not missed; weights of a trusted folder load as ever."""
    monkeypatch.chdir(tmp_path)
    view = {"encoder": "speech-model", "pretrained": "gone"}
    Detector.build(toy_experiment(views={"text": view, "audio": None})).save_pretrained("plain")
    assert Detector.from_pretrained("plain", trust_remote_code=True)
