"""`amsdf card`: what a model card says, and where it comes from."""

import pytest
import yaml
from command_line import SMALL, amsdf, refused, toy_calibration, toy_detector
from toys import toy_corpus

from amsdf import load
from amsdf.scoring.calibration.calibration import FILE
from amsdf.scoring.calibration.fits import fit_logistic


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A calibrated detector, and one that is not."""
    monkeypatch.chdir(tmp_path)
    toy_detector(tmp_path / "mine", **SMALL)
    toy_detector(tmp_path / "other", **{**SMALL, "seed": 7})
    calibration = fit_logistic([0.5, 0.7, 0.9, 0.2], [-0.5, -0.2, 0.3, -0.9])
    (tmp_path / "mine" / FILE).write_text(calibration.to_json())
    return tmp_path


def test_the_card_names_what_the_detector_is(capsys, place):
    done = amsdf(capsys, "card", "mine", "--license", "mit", "--name", "me/mine")
    assert done.status == 0, done.err
    _, front, text = done.out.split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["license"] == "mit" and head["library_name"] == "amsdf"
    assert "audio-deepfake-detection" in head["tags"]
    for said in (
        "A research tool; not evidence.",
        "amsdf score call.m4a --detector me/mine",
        "| head | `pool-linear`",
        f"`{load('mine').detector.digest()}`",
        "Operating point `default`: fake where",
        "amsdf train --config experiment.yaml",
    ):
        assert said in text, said
    amsdf(capsys, "card", "mine", "--license", "mit", "--name", "me/mine", "--out", "card.md")
    assert (place / "card.md").read_text() == done.out


def test_a_detector_without_a_calibration_says_so(capsys, place):
    done = amsdf(capsys, "card", "other")
    assert "It is not calibrated: its score only ranks" in done.out


def test_the_card_has_the_figures_of_this_detector_alone(capsys, place):
    toy_corpus(place / "toy", clips=2)
    for name in ("mine", "other"):
        amsdf(capsys, "eval", "--detector", name, "--on", "toy/eval", "--out", f"of-{name}")
    (place / "notes.md").write_text("## Sources\n\nThree voices, CC BY 4.0.\n")
    done = amsdf(capsys, "card", "mine", "--scores", "of-mine", "--notes", "notes.md")
    assert "| toy/eval | 2 + 2 | " in done.out and "## Sources\n\nThree voices" in done.out, done
    line = refused(capsys, "card", "mine", "--scores", "of-other")
    assert "of-other: holds no scores of this detector" in line
    assert "none.md: no such file" in refused(capsys, "card", "mine", "--notes", "none.md")


def test_a_card_says_how_sure_its_bounds_are(capsys, place):
    assert "confidence" not in amsdf(capsys, "card", "mine").out, "it has four fakes"
    toy_calibration(place / "mine", [900, 901], range(100))
    said = "with a confidence of 95 %: of fakes like the 100 that it comes from"
    assert said in amsdf(capsys, "card", "mine").out
