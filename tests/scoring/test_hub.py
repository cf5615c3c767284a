"""Detectors on a hub: fetched by id, kept in its cache, uploaded; never code."""

import huggingface_hub.constants
import pytest
import torch
from command_line import SMALL, amsdf, toy_detector
from hub_server import COMMIT, TOKEN, hub
from toys import tone, toy_corpus, write_wav

from amsdf import Detector, Judge, load
from amsdf.scoring.calibration.calibration import FILE
from amsdf.scoring.calibration.fits import fit_logistic

WAVE = torch.from_numpy(tone(120)).float()[None]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A calibrated detector; an empty cache; nobody is logged in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    toy_detector(tmp_path / "mine", **SMALL)
    calibration = fit_logistic([0.5, 0.7, 0.9, 0.2], [-0.5, -0.2, 0.3, -0.9])
    (tmp_path / "mine" / FILE).write_text(calibration.to_json())
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    with hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


@pytest.fixture
def filled(place, server):
    """A repository that holds the detector and things that are none of a detector."""
    files = {path.name: path.read_bytes() for path in (place / "mine").iterdir()}
    foreign = {"run.py": b"raise SystemExit", "model.pkl": b"\x80", "sub/x.py": b"import os"}
    server.repositories["you/theirs"] = {**files, **foreign, "README.md": b"# theirs\n"}
    return server


def test_a_detector_is_fetched_by_its_id_without_any_code(place, filled):
    judge = Judge.from_pretrained("you/theirs")
    same = load(place / "mine")
    assert judge.name == "theirs" and judge.calibration == same.calibration
    assert judge(tone(120), 16_000).score == same(tone(120), 16_000).score
    assert torch.equal(
        Detector.from_pretrained("you/theirs@main").score(WAVE), same.detector.score(WAVE)
    )
    fetched = {path.name for path in (place / "cache").rglob("snapshots/*/*")}
    assert fetched == {"experiment.yaml", "model.safetensors", FILE, "README.md"}
    assert not any(path.endswith((".py", ".pkl")) for path in filled.asked)


@pytest.mark.parametrize("offline", [True, False])
def test_without_the_hub_the_cache_answers(place, filled, monkeypatch, offline):
    """HF_HUB_OFFLINE, and a hub that is down."""
    score = load("you/theirs")(tone(120), 16_000).score
    filled.asked.clear()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    if not offline:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert load("you/theirs")(tone(120), 16_000).score == score
    assert not filled.asked
    with pytest.raises(ValueError, match="you/none: is not a folder here, and the hub cannot be"):
        load("you/none")


def test_a_folder_that_plays_the_cache_is_read(place, monkeypatch):
    """As copied from another machine."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    cached = place / "cache/models--you--copied"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs/main").write_text(COMMIT)
    (cached / "snapshots").mkdir()
    (place / "mine").rename(cached / "snapshots" / COMMIT)
    assert load("you/copied").name == "copied"
    assert load(f"you/copied@{COMMIT}").calibration is not None


def test_a_folder_here_wins(place, filled):
    toy_detector(place / "you/theirs", **{**SMALL, "seed": 7})
    own = Detector.from_pretrained(place / "you/theirs").score(WAVE)
    assert torch.equal(Detector.from_pretrained("you/theirs").score(WAVE), own)
    with pytest.raises(ValueError, match="you/other: does not exist; give a run folder"):
        load("you/other")
    assert not filled.asked, "a first part that is a folder here is no owner"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("you/nothing", "the hub has none of this name, or hides it: log in with"),
        ("you/theirs@v9", "on the hub it has no such revision"),
        ("you/empty", "on the hub it holds no experiment.yaml and model.safetensors"),
        ("a--b/c..d", "is no name on the hub either; one is owner/name"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(capsys, place, filled, name, reason):
    filled.repositories["you/empty"] = {"README.md": b"empty"}
    write_wav(place / "a.wav", tone(120))
    done = amsdf(capsys, "score", "a.wav", "--detector", name)
    line = done.err.splitlines()[-1]  # behind the progress of what was fetched
    assert done.status == 2 and line.startswith(f"amsdf score: {name}: ") and reason in line


def test_a_published_file_that_is_missing_is_not_asked_for(place, server):
    with pytest.raises(ValueError, match=r"models/AASIST\.pth: does not exist; give a run folder"):
        load("models/AASIST.pth")
    assert not server.asked


@pytest.mark.parametrize("private", [True, False])
def test_what_is_uploaded_is_the_folder_and_its_card(place, server, private):
    judge = load("mine")
    address = judge.push_to_hub("me/new", private=private, token=TOKEN)
    assert address == f"{server.address}/me/new" and server.private["me/new"] == private
    files = server.repositories["me/new"]
    known = "training_data.json"
    assert set(files) == {"experiment.yaml", "model.safetensors", FILE, known, "README.md"}
    assert b"amsdf score call.m4a --detector me/new" in files["README.md"]
    back = load("me/new")
    assert back.detector.digest() == judge.detector.digest()
    assert back.calibration == judge.calibration and back.training == judge.training


def test_a_detector_alone_is_uploaded_with_the_card_that_is_given(place, server):
    Detector.from_pretrained("mine").push_to_hub("me/alone", token=TOKEN, card="# mine\n")
    assert server.repositories["me/alone"]["README.md"] == b"# mine\n"
    assert load("me/alone").calibration is None


def test_without_a_token_nothing_is_uploaded(place, server):
    with pytest.raises(ValueError, match="me/new: is not uploaded; the hub does not allow"):
        load("mine").push_to_hub("me/new")
    assert "me/new" not in server.repositories


def test_a_detector_of_the_hub_is_evaluated_and_its_cache_stays_as_it_is(capsys, place, filled):
    toy_corpus(place / "toy", clips=2)
    done = amsdf(capsys, "eval", "--detector", "you/theirs", "--on", "toy/eval", "--out", "scores")
    assert done.status == 0 and (place / "scores/theirs/toy__eval.tsv").is_file(), done
    words = ("eval", "--detector", "you/theirs", "--on", "toy/eval", "--calibrate-on", "toy/dev")
    assert amsdf(capsys, *words).status == 0
    done = amsdf(capsys, *words, "--store-calibration")
    assert done.status == 2 and "--store-calibration: you/theirs is on the hub; make" in done.err


def test_a_submission_of_a_detector_on_the_hub_names_its_page(capsys, place, filled):
    """`amsdf arena` asks for the addresses that it cannot know, and for no other."""
    toy_corpus(place / "toy", clips=2)
    words = ("arena", "you/theirs@main", "toy/eval", "--out", "b", "--quiet")
    done = amsdf(capsys, *words, "--code", "https://github.com/you/theirs")
    assert done.status == 0 and "meta.yaml still needs" not in done.out, done
    assert "checkpoint: https://huggingface.co/you/theirs\n" in (place / "b/meta.yaml").read_text()
