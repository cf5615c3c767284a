"""Draws from ranges: what is drawn, what is given up, and how a stopped search goes on."""

import pytest
import yaml
from toys import TOY, plan, toy_corpus, toy_experiment

from amsdf.cli.main import main
from amsdf.config import merge
from amsdf.evaluation.studies import search as module
from amsdf.evaluation.studies.search import Search, Searcher
from amsdf.evaluation.studies.study import Study, cells
from amsdf.training.trainer import train

RANGES = {
    "train.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
    "train.batch_size": {"low": 2, "high": 8},
    "head.name": ["pool-linear", "statistics"],
}


def searcher(folder, **changes) -> Searcher:
    return Searcher(Search.model_validate({"trials": 6, "ranges": RANGES, **changes}), folder)


@pytest.fixture(autouse=True)
def _needs_optuna():
    pytest.importorskip("optuna", reason="pip install 'amsdf[optuna]'")


def test_draws_are_in_their_ranges_and_readable(tmp_path):
    found = searcher(tmp_path)
    for draw, is_new in found.draws():
        rate, size, head = draw.values.values()
        assert is_new and 1e-5 <= rate <= 1e-2 and rate == float(f"{rate:.3g}")
        assert size in range(2, 9) and isinstance(size, int)
        assert head in RANGES["head.name"]
        assert draw.layer()["train"] == {"learning_rate": rate, "batch_size": size}
        assert draw.label == f"learning_rate-{rate}-batch_size-{size}-name-{head}"
        draw.eers.append(rate)
        found.tell(draw)
    assert [is_new for _, is_new in searcher(tmp_path).draws()] == [False] * 6


def test_a_stopped_search_goes_on_with_the_draw_it_was_at(tmp_path):
    first = searcher(tmp_path)
    draws = first.draws()
    done, _ = next(draws)
    done.eers.append(0.3)
    first.tell(done)
    stopped, _ = next(draws)  # and then the power fails
    again = [(draw.values, is_new) for draw, is_new in searcher(tmp_path).draws()]
    assert again[:2] == [(done.values, False), (stopped.values, True)]
    assert len(again) == 6


def test_a_bad_draw_is_given_up_and_a_good_one_is_not(tmp_path):
    found = searcher(tmp_path, trials=5, whole=2)
    ends = []
    for number, (draw, _) in enumerate(found.draws()):
        eer = (0.10, 0.12, 0.45, 0.05, 0.06)[number]
        given_up = any(draw.is_hopeless(epoch, eer) for epoch in (1, 2, 3))
        draw.eers.append(eer)
        found.tell(draw)
        ends.append(given_up)
    assert ends == [False, False, True, False, False]
    assert [draw.given_up for draw, _ in searcher(tmp_path, trials=5).draws()] == ends


def test_a_search_over_other_ranges_needs_another_folder(tmp_path):
    searcher(tmp_path)
    with pytest.raises(ValueError, match=r"search\.log: is of a search over other ranges; give an"):
        searcher(tmp_path, ranges={"train.epochs": [1, 2]})


def test_draws_that_all_fail_come_to_an_end(tmp_path):
    found = searcher(tmp_path, trials=2)
    for draw, _ in found.draws():
        found.tell(draw)
    assert all(is_new for _, is_new in searcher(tmp_path, trials=2).draws())


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"trials": 0, "ranges": RANGES}, "search.trials: Input should be greater than 0"),
        ({"trials": 2, "ranges": {}}, "search.ranges"),
        ({"trials": 2, "ranges": {"a": {"low": 2, "high": 1}}}, "low must be below high"),
        ({"trials": 2, "ranges": {"a": {"low": 0, "high": 1, "log": True}}}, "above 0 where log"),
        ({"trials": 2, "ranges": {"a": [1]}}, "a: a list needs two values"),
    ],
)
def test_wrong_searches_are_refused(search, words):
    with pytest.raises(ValueError, match=words):
        Study.parse({"base": "aasist-l", "search": search})


def test_a_wrong_key_is_refused_before_anything_is_trained(tmp_path):
    draw, _ = next(searcher(tmp_path, ranges={"train.learning_rat": [1, 2]}).draws())
    with pytest.raises(ValueError, match=r"no key 'train\.learning_rat'.*'learning_rate'"):
        cells(Study.parse({"base": "aasist-l"}), lambda *_: {}, draw=draw)


def test_without_the_package_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    def missing(name, *_):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(module, "import_module", missing)
    with pytest.raises(ValueError, match=r"pip install 'amsdf\[optuna\]'") as caught:
        searcher(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_search_from_end_to_end(tmp_path, capsys):
    """Three draws; a second start trains nothing, one with more trials goes on."""
    toy = toy_corpus(tmp_path / "toy", clips=4)
    small = merge(TOY, {"views": {"text": None}, "train": {"epochs": 1}})
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small))
    study = {
        "recipes": [str(tmp_path / "small.yaml")],
        "search": {
            "trials": 3,
            "ranges": {"train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
        },
        "eval": ["toy/eval"],
    }
    path, out = tmp_path / "study.yaml", tmp_path / "out"
    words = ["study", str(path), "--out", str(out), "--data", f"toy={toy}", "--quiet"]
    path.write_text(yaml.safe_dump(study))
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "[3/3] small-oc-softmax-learning_rate-0." in told
    rows = (out / "table.csv").read_text().splitlines()
    assert rows[0] == "recipe,loss,drawn,seeds,dev,toy/eval" and len(rows) == 4
    weights = sorted(out.glob("*/best/model.safetensors"))
    before = [file.stat().st_mtime_ns for file in weights]
    study["search"]["trials"] = 4
    path.write_text(yaml.safe_dump(study))
    assert main(words) == 0
    assert [file.stat().st_mtime_ns for file in weights] == before
    assert len(list(out.glob("*/best/model.safetensors"))) == 4
    assert (out / "table.csv").read_text().splitlines()[1:4] == rows[1:]
    assert "too few to say" in (out / "differences.csv").read_text()


def test_what_is_drawn_again_is_not_trained_again(tmp_path, capsys):
    """Of two values, five draws: two runs."""
    toy = toy_corpus(tmp_path / "toy", clips=2)
    small = merge(TOY, {"views": {"text": None}, "train": {"epochs": 1}})
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small))
    search = {"trials": 5, "ranges": {"train.batch_size": [2, 4]}}
    study = {"base": str(tmp_path / "small.yaml"), "search": search}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    words = ["study", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out"), "--data"]
    assert main([*words, f"toy={toy}", "--quiet"]) == 0
    rows = (tmp_path / "out/table.csv").read_text().splitlines()[1:]
    assert sorted(row.split(",")[2:4] for row in rows) == [
        ["batch_size-2", "1"],
        ["batch_size-4", "1"],
    ]
    assert "best on dev: small oc-softmax batch_size-" in capsys.readouterr().out


def test_training_ends_where_the_plan_says_it_is_hopeless(tmp_path):
    """As an ordinary end: the best detector so far is there."""
    toy_corpus(tmp_path / "toy", clips=4)
    asked: list[tuple[int, float]] = []

    def is_hopeless(epoch: int, eer: float) -> bool:
        asked.append((epoch, eer))
        return epoch == 2

    experiment = toy_experiment(views={"text": None}, train={"epochs": 9})
    progress = train(experiment, plan(tmp_path, "run", is_hopeless=is_hopeless))
    assert [epoch for epoch, _ in asked] == [1, 2] and progress.epoch == 2
    assert asked[-1][1] == progress.best_eer
    assert (tmp_path / "run/best/model.safetensors").is_file()


def test_a_search_needs_dev_corpora(tmp_path, capsys):
    toy = toy_corpus(tmp_path / "toy", clips=2)
    small = merge(TOY, {"views": {"text": None}, "dev": []})
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small))
    study = {"base": str(tmp_path / "small.yaml"), "search": {"trials": 1, "ranges": RANGES}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    words = ["study", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "o"), "--data"]
    assert main([*words, f"toy={toy}", "--quiet"]) == 2
    assert "a search chooses by dev EER: give the study dev corpora" in capsys.readouterr().err
