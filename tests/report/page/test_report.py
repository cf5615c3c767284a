"""Pictures that are real images, and the page: whole, escaped, and without any other file."""

import csv
import io
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from command_line import amsdf, toy_detector
from PIL import Image
from toys import toy_corpus

from amsdf.detector.inference.scores import CorpusEmbeddings
from amsdf.evaluation.matrix import matrix
from amsdf.evaluation.results import ResultSettings
from amsdf.report.page import sections
from amsdf.report.page.report import write_report
from amsdf.report.pictures.embedding_maps import embedding_map, project
from amsdf.report.pictures.histograms import attack_histograms, class_histogram
from amsdf.report.pictures.plots import (
    Bar,
    bar_chart,
    det_plot,
    heat_map,
    reliability_plot,
    shortened,
)
from amsdf.scoring.calibration.fits import fit_logistic
from amsdf.scoring.score_files.table import Scores

GENERATOR = np.random.default_rng(0)
REAL, FAKE = GENERATOR.normal(1, 1, 120), GENERATOR.normal(-1, 1, 90)
NONE = np.array([])
HOSTILE = '<script>alert("1")</script>'


def make_scores(detector, corpus, real=REAL, fake=FAKE):
    num = len(real) + len(fake)
    frame = pl.DataFrame(
        {
            "utt": [f"u{place}" for place in range(num)],
            "score": np.concatenate([real, fake]),
            "label": [1] * len(real) + [0] * len(fake),
            "attack": ["-"] * len(real) + [("A1", "A2 & <b>")[k % 2] for k in range(len(fake))],
        }
    )
    return Scores(corpus, frame, {"detector": detector, "corpus": corpus, "note": HOSTILE})


def embedded(corpus, num=20, shift=0.0):
    points = np.random.default_rng(3).normal(shift, 1, (2 * num, 6))
    labels = np.repeat([1, 0], num)
    return CorpusEmbeddings(corpus, points, labels, [None] * num + ["A1", "A2"] * (num // 2))


PICTURES = {
    "det": lambda kind: det_plot({"a": (REAL, FAKE), "b": (FAKE, REAL)}, "here", kind),
    "det of a perfect system": lambda kind: det_plot({"a": (REAL + 9, FAKE)}, "here", kind),
    "classes": lambda kind: class_histogram(REAL, FAKE, "here", 0.0, kind),
    "one class": lambda kind: class_histogram(REAL, NONE, "here", None, kind),
    "one score": lambda kind: class_histogram(np.ones(3), np.ones(1), "here", 1.0, kind),
    "attacks": lambda kind: attack_histograms({"A1": FAKE, "A2": FAKE}, REAL, "here", 0.0, kind),
    "heat map": lambda kind: heat_map(
        np.array([[0.1, 0.9], [np.nan, 0.5]]), ["x", "y"], ["a", "b" * 40], kind=kind
    ),
    "bars": lambda kind: bar_chart([Bar("A1", 0.1, 0.05, 0.2), Bar("A2", 0, 0, 0)], "here", kind),
    "reliability": lambda kind: reliability_plot(
        np.linspace(0, 1, 50), np.arange(50) % 2, "here", 0.5, kind
    ),
    "map": lambda kind: embedding_map(embedded("x"), embedded("y", 8, 1.0), kind=kind),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_images_with_something_on_them(name):
    image = Image.open(io.BytesIO(PICTURES[name]("png")))
    assert image.format == "PNG" and min(image.size) > 100
    assert len(image.convert("RGB").getcolors(10**6)) > 20


@pytest.mark.parametrize("name", ["det", "bars"])
def test_the_same_scores_give_the_same_picture(name):
    assert PICTURES[name]("png") == PICTURES[name]("png")
    assert PICTURES[name]("svg").lstrip().startswith(b"<?xml")


def test_pictures_refuse_other_formats():
    with pytest.raises(ValueError, match="no picture format 'gif'"):
        PICTURES["bars"]("gif")


def test_pca_keeps_what_separates_and_maps_refuse_nonsense():
    points = np.concatenate([np.zeros((5, 4)), np.full((5, 4), 9.0)])
    place = project(points, "pca")
    assert place.shape == (10, 2) and abs(place[0, 0] - place[9, 0]) == pytest.approx(18)
    assert project(np.arange(8.0)[:, None], "pca").shape == (8, 2)
    with pytest.raises(ValueError, match="no projection 'umap'"):
        project(points, "umap")
    with pytest.raises(ValueError, match="a map needs 3 or more"):
        project(points[:2], "pca")
    with pytest.raises(ValueError, match="must be \\(trials, width\\)"):
        CorpusEmbeddings("x", points, np.ones(3))
    with pytest.raises(ValueError, match="NaN or infinite"):
        CorpusEmbeddings("x", points * np.nan, np.ones(10))


def test_sample_of_embeddings_repeats_itself():
    whole = embedded("x")
    first, second = (whole.sample(7, seed=1) for _ in range(2))
    assert (first.points == second.points).all() and len(first.points) == 7
    assert set(whole.names()) == {"bona fide", "A1", "A2"}


def test_long_names_are_shortened_in_the_middle():
    assert shortened("a" * 30 + "b" * 30, 11) == "aaaaa…bbbbb" and shortened("short") == "short"


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in ("src", "href")]
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    scores = [
        *(make_scores("m-seed1", "x"), make_scores("m-seed2", "x", REAL + 0.1)),
        *(make_scores(HOSTILE, "x", FAKE, REAL), make_scores("m-seed1", "y", REAL, NONE)),
    ]
    folder = tmp_path_factory.mktemp("report")
    embeddings = {"m-seed1": [embedded("x/train"), embedded("y", 8)]}
    calibrations = {"m-seed1": fit_logistic(REAL, FAKE)}
    results = matrix(scores, calibrations=calibrations)
    path = write_report(folder, results, embeddings, {"command": "a < b"})
    assert path == folder / "report.html"
    return folder


def test_page_is_well_formed_and_needs_no_other_file(report):
    page = Page((report / "report.html").read_text("utf-8"))
    assert page.open == [] and page.tags.count("h1") == 1
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    text = (report / "report.html").read_text("utf-8")
    assert all(f'id="{link[1:]}"' in text for link in page.links if link.startswith("#"))
    assert not re.search(r"https?://", text)


def test_page_has_all_sections_and_explains_each(report):
    text = (report / "report.html").read_text("utf-8")
    titles = re.findall(r'<h2>(.*?)</h2>\n<p class="lead">[A-Z].{20,}</p>', text)
    assert titles == [
        *("Results", "One threshold", "Warnings", "Differences", "Seeds", "Trade-off", "Scores"),
        *("Easy and hard", "Calibration", "Maps", "All figures", "What was run"),
    ]
    assert "worse than guessing" in text and "only bona fide trials" in text


def test_page_escapes_names_and_headers(report):
    text = (report / "report.html").read_text("utf-8")
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert "A2 &amp; &lt;b&gt;" in text and "a &lt; b" in text


def test_tables_lie_beside_the_page(report):
    assert {path.name for path in report.iterdir()} == {
        *("report.html", "matrix.csv", "matrix.md", "matrix.tex")
    }
    rows = list(csv.DictReader((report / "matrix.csv").open(encoding="utf-8")))
    assert [row["corpus"] for row in rows] == ["x", "x", "x", "y"]
    assert (
        (report / "matrix.md")
        .read_text("utf-8")
        .startswith("| corpus | real + fake | intervals | m-seed1 |")
    )
    assert r"\begin{tabular}{lrrrrr}" in (report / "matrix.tex").read_text("utf-8")


def test_report_from_scores_alone_replaces_an_older_one(tmp_path):
    (tmp_path / "report.html").write_text("an older report")
    text = write_report(tmp_path, [make_scores("m", "x")]).read_text("utf-8")
    assert "an older report" not in text and "Nothing to warn about" in text
    assert "<h2>Seeds</h2>" not in text and "<h2>Maps</h2>" not in text


def test_report_of_unlabelled_scores_is_still_a_page(tmp_path):
    frame = pl.DataFrame({"utt": ["a", "b"], "score": [0.5, 1.5]})
    text = write_report(tmp_path, [Scores("calls", frame)]).read_text("utf-8")
    assert "2 trials have no label" in text and "<h2>Scores</h2>" not in text


def test_eval_draws_maps_against_the_training_corpus(capsys, tmp_path, monkeypatch):
    """Without a clip that can be read a corpus is left out; the others still get their page."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=3)
    toy_detector(tmp_path / "detector", views={"text": None})
    toy_corpus(tmp_path / "torn", clips=1)
    for recording in (tmp_path / "torn/audio").iterdir():
        recording.write_bytes(b"")
    words = ("eval", "--detector", "detector", "--html", "--quiet", "--on", "toy/eval")
    done = amsdf(capsys, *words, "toy/train", "torn/eval")
    assert done.status == 1 and "report: " in done.out and "no embedding maps" not in done.out
    page = (tmp_path / "scores/report/report.html").read_text("utf-8")
    maps = page.split("<h2>Maps</h2>")[1].split("</section>")[0]
    assert re.findall(r"toy/\w+", maps) and maps.count("data:image/png") == 1
    shutil.rmtree(tmp_path / "toy/audio")
    done = amsdf(capsys, *words)
    assert (
        "# no embedding maps of detector against its training corpus: toy/train: no clip"
        in done.out
    )


def test_of_many_detectors_only_some_are_drawn(tmp_path, monkeypatch):
    """Trap: two pictures for each of 100 detectors on 20 corpora make a page that nobody opens."""
    monkeypatch.setattr(sections, "MOST_DRAWN", 5)
    few = REAL[:20], FAKE[:20]
    tables = [
        make_scores(name, corpus, *few) for name in ("one", "two", "three") for corpus in "ab"
    ]
    settings = ResultSettings(["eer"], rounds=0)
    page = write_report(tmp_path, matrix(tables, settings=settings)).read_text("utf-8")
    assert page.count("2 of 3 detectors") == 3  # histograms, breakdowns and calibration
    assert "scores of two on b" in page and "scores of three on" not in page
    monkeypatch.setattr(sections, "MOST_DRAWN", 6)
    page = write_report(tmp_path, matrix(tables, settings=settings)).read_text("utf-8")
    assert "scores of three on b" in page and "of 3 detectors" not in page
