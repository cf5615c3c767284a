"""`amsdf cache`, and `--cache` of the commands that train and score."""

import re

import pytest
from command_line import amsdf, refused, toy_yaml
from toys import same_weights, toy_corpus

VIEWS = {"audio": {"freeze": True}, "text": {"freeze": True}}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A corpus, and an experiment with frozen views that trains for an epoch."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=4)
    toy_yaml(tmp_path, views=VIEWS, train={"epochs": 1, "draws": 2})
    return tmp_path


def test_a_cache_is_built_used_described_and_pruned(place, capsys):
    made = amsdf(capsys, "cache", "build", "views", "--config", "toy.yaml", "--quiet")
    assert made.status == 0 and "24 views made" not in made.out, made
    assert made.out.startswith("24 clips encoded"), made.out
    words = ["train", "--config", "toy.yaml", "--quiet"]
    assert amsdf(capsys, *words, "--out", "plain").status == 0
    assert amsdf(capsys, *words, "--out", "kept", "--cache", "views").status == 0
    assert same_weights(place / "plain/best", place / "kept/best")
    again = amsdf(capsys, "cache", "build", "views", "--config", "toy.yaml", "--quiet")
    assert again.out.startswith("0 clips encoded")

    on = ["--detector", "kept", "--on", "toy/eval"]
    built = amsdf(capsys, "cache", "build", "views", *on, "--workers", "2", "--quiet")
    assert built.status == 0 and built.out.startswith("8 clips encoded")
    for out, flags in (("one", []), ("two", ["--cache", "views"])):
        done = amsdf(capsys, "eval", *on, "--out", out, "--quiet", *flags)
        assert done.status == 0
    assert (place / "one/kept/toy__eval.tsv").read_text() == (
        place / "two/kept/toy__eval.tsv"
    ).read_text()

    info = amsdf(capsys, "cache", "info", "views").out
    assert "of 2 encoders" in info and "kept in fp32, largest error 0 of" in info
    assert "settings: coefficients: 12" in info
    pruned = amsdf(capsys, "cache", "prune", "views", "--to", "0")
    assert pruned.status == 0 and " views removed" in pruned.out
    assert "of 0 encoders" in amsdf(capsys, "cache", "info", "views").out


def test_unreadable_clips_are_left_out_with_status_1(place, capsys):
    toy_yaml(place, views=VIEWS, train={"epochs": 1, "draws": 1, "bad_clip_tolerance": 2})
    (place / "toy/audio/train_0_spoof.wav").write_bytes(b"no sound")
    done = amsdf(capsys, "cache", "build", "views", "--config", "toy.yaml", "--quiet")
    assert done.status == 1 and "1 clips left out: they cannot be read; the first:" in done.out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["cache", "info", "none"], "none: is not a cache"),
        (["cache", "prune", "views"], "prune: what. Give --unused DAYS, --to GB or --encoder"),
        (["cache", "info", "views", "--to", "3"], "cache info: --to has no effect"),
        (["cache", "build", "views", "--to", "3"], "cache build: --to has no effect"),
        (["cache", "build", "views", "--on", "toy/eval"], "belong together"),
        (
            ["cache", "build", "views", "--config", "toy.yaml", "--limit", "0.000001"],
            "views: the views of 16 clips of toy/train crops take about .* the limit is 1e-06 GB",
        ),
        (
            [
                *("train", "--config", "toy.yaml", "--set", "views.audio.freeze=false"),
                *("--set", "views.text.freeze=false", "--cache", "views"),
            ],
            "none is; give --freeze VIEW",
        ),
        (
            ["train", "--config", "toy.yaml", "--set", "train.draws=null", "--cache", "views"],
            "give --set train.draws=K",
        ),
        (["train", "--config", "toy.yaml", "--cache-dtype", "fp16"], "no effect without --cache"),
        (
            ["eval", "--detector", "x", "--on", "toy/eval", "--plain", "--cache", "views"],
            "leave one out",
        ),
    ],
)
def test_refusals_are_one_line(place, capsys, words, reason):
    line = refused(capsys, *words, *(["--quiet"] if words[1] not in ("info", "prune") else []))
    assert re.search(reason, line), line
