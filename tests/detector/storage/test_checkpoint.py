"""A detector folder that is written again: what is in it besides the weights."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from toys import toy_experiment

from amsdf.detector.detector import Detector
from amsdf.detector.storage import checkpoint
from amsdf.files import write_text

EXTRAS = {
    "calibration.json": '{"of": "these"}',
    "origin.json": '{"file": "M1.pth"}',
    "README.md": "what I did",
    "plots/det.svg": "<svg/>",
}
FROZEN = {"views": {"text": {"freeze": True}}}


def detector(seed: int = 0, **changes) -> Detector:
    torch.manual_seed(seed)
    return Detector.build(toy_experiment(**changes)).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "mine"
    detector().save_pretrained(place)
    for name, text in EXTRAS.items():
        write_text(place / name, text)
    (place / "data").symlink_to("../elsewhere")
    return place


def kept(folder: Path) -> dict[str, str]:
    ours = (checkpoint.EXPERIMENT, checkpoint.WEIGHTS)
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ours
    }


def test_the_same_detector_keeps_everything(folder: Path, caplog) -> None:
    Detector.from_pretrained(folder).save_pretrained(folder)
    assert kept(folder) == EXTRAS and not caplog.records
    assert (folder / "data").readlink() == Path("../elsewhere")


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"clip": {"samples": 9000}}], ids=["weights", "experiment"]
)
def test_a_calibration_of_another_detector_is_neither_lost_nor_applied(
    other: dict, folder: Path, caplog
) -> None:
    before = Detector.from_pretrained(folder).digest()
    with caplog.at_level(logging.WARNING):
        detector(**other).save_pretrained(folder)
    found = kept(folder)
    for name in ("calibration", "origin"):
        assert f"{name}.json" not in found
        assert found[f"{name}.of-{before}.json"] == EXTRAS[f"{name}.json"]
        assert f"kept as {name}.of-{before}.json" in caplog.text
    assert found["README.md"] == EXTRAS["README.md"]
    assert found["plots/det.svg"] == EXTRAS["plots/det.svg"]

    Detector.from_pretrained(folder).save_pretrained(folder)
    assert kept(folder) == found


def test_a_folder_that_is_no_detector_keeps_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    write_text(tmp_path / "thesis/chapter.tex", "work of weeks")
    write_text(tmp_path / "thesis/calibration.json", "of nobody knows what")
    detector().save_pretrained(tmp_path / "thesis")
    assert kept(tmp_path / "thesis") == {
        "chapter.tex": "work of weeks",
        "calibration.of-unknown.json": "of nobody knows what",
    }


def test_a_frozen_file_of_the_weights_before_goes(tmp_path: Path) -> None:
    for seed in (0, 1):
        detector(seed, **FROZEN).save_pretrained(tmp_path / "one")
    assert len(list((tmp_path / "one").glob("frozen-*"))) == 1
    Detector.from_pretrained(tmp_path / "one")


def frozen_file(folder: Path) -> Path:
    (found,) = folder.glob("frozen-*.safetensors")
    return found


def test_frozen_weights_are_shared_with_a_neighbour(tmp_path: Path) -> None:
    for name in ("one", "two"):
        detector(**FROZEN).save_pretrained(tmp_path / name)
    assert frozen_file(tmp_path / "one").samefile(frozen_file(tmp_path / "two"))


@pytest.mark.parametrize("damage", ["other weights", "cut off", "a folder"])
def test_a_neighbour_with_the_right_name_and_other_content_is_not_trusted(
    damage: str, tmp_path: Path
) -> None:
    """A file is linked for its content, not for its name."""
    first = detector(**FROZEN)
    first.save_pretrained(tmp_path / "first")
    wanted = frozen_file(tmp_path / "first")
    detector(1, **FROZEN).save_pretrained(tmp_path / "stranger")
    theirs = frozen_file(tmp_path / "stranger").rename(tmp_path / "stranger" / wanted.name)
    if damage == "cut off":
        theirs.write_bytes(wanted.read_bytes()[:-9])
    elif damage == "a folder":
        theirs.unlink()
        theirs.mkdir()
    wanted.unlink()

    first.save_pretrained(tmp_path / "second")
    assert Detector.from_pretrained(tmp_path / "second").digest() == first.digest()


@pytest.mark.parametrize("place", ["../{}", "{}"], ids=["relative", "absolute"])
def test_a_folder_reads_no_file_outside_itself(place: str, tmp_path: Path) -> None:
    """Trap: path traversal. The name of the frozen file is in the metadata of the other one."""
    detector(**FROZEN).save_pretrained(tmp_path / "mine")
    outside = frozen_file(tmp_path / "mine").rename(tmp_path / "outside.safetensors")
    named = place.format(outside.name if place.startswith("..") else outside)
    weights = tmp_path / "mine" / checkpoint.WEIGHTS
    with safe_open(weights, "pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(state, weights, {"frozen": named})
    with pytest.raises(ValueError, match=r"mine/outside\.safetensors: no such file"):
        Detector.from_pretrained(tmp_path / "mine")
