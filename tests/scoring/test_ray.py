"""`--engine ray`: the scores of one process; a process that is killed loses and doubles nothing."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import SMALL, amsdf, refused, toy_detector
from toys import toy_corpus

from amsdf.data.manifest import read_manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import score_rows
from amsdf.scoring.engines import row_scorer
from amsdf.scoring.score_files.table import read_scores

ray = pytest.importorskip("ray", reason="needs the extra ray")
pa = pytest.importorskip("pyarrow")

from pyarrow import fs  # noqa: E402
from pyarrow import parquet as pq  # noqa: E402
from ray_driver import CLUSTER, SETTINGS, slowed  # noqa: E402

from amsdf.scoring.engines import collection, ray_data  # noqa: E402
from amsdf.scoring.engines.results import ResultFolder, ScoredRow  # noqa: E402
from amsdf.scoring.engines.work_units import file_units, manifest_units  # noqa: E402

TESTS = Path(__file__).parents[1]
BAD = "eval_1_spoof"


@pytest.fixture(scope="module")
def cluster():
    ray.init(**CLUSTER, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """24 clips, one of which cannot be read, as a corpus and as tables with and beside sound."""
    monkeypatch.chdir(tmp_path)
    toy_corpus(tmp_path / "toy", clips=4)
    (tmp_path / f"toy/audio/{BAD}.wav").write_bytes(b"no sound")
    toy_detector(tmp_path / "detector", **SMALL, score={"parts": "windows"})
    table = pl.read_csv("toy/manifest.csv")
    for name in ("beside", "inside"):
        (tmp_path / name).mkdir()
    table.with_columns(path="../toy/" + pl.col("path")).write_parquet(
        "beside/a.parquet", row_group_size=5
    )
    sounds = [Path("toy", path).read_bytes() for path in table["path"]]
    rows = [
        {"utt": utt, "audio": {"bytes": sound}}
        for utt, sound in zip(table["utt"], sounds, strict=True)
    ]
    for number in (0, 1):
        part = pa.Table.from_pylist(rows[12 * number : 12 * number + 12])
        pq.write_table(part, f"inside/{number}.parquet", row_group_size=5)
    return tmp_path


def by_this_process() -> dict[str, float]:
    """Utterance -> score."""
    manifest = read_manifest(Path("toy"))
    found = score_rows(Detector.from_pretrained("detector"), manifest, range(24), SETTINGS)
    utts = manifest.table["utt"]
    return {
        utts[row]: score
        for rows, scores, _ in found
        for row, score in zip(rows, scores, strict=True)
    }


def assert_each_once(out: Path) -> None:
    """Every clip has a score or a reason, and the score of this process."""
    table = pl.read_parquet(out / "scores-*.parquet")
    failed = pl.read_parquet(out / "failed.parquet")
    expected = by_this_process()
    assert sorted(table["utt"]) == sorted(expected) and len(expected) == 23
    assert failed["utt"].to_list() == [BAD] and "cannot be decoded" in failed["reason"][0]
    for utt, score in table.select("utt", "score").iter_rows():
        assert score == pytest.approx(expected[utt], abs=1e-5)


def test_a_cluster_scores_as_this_process_does(capsys, place, cluster):
    """Tables with sound inside to a folder of scores."""
    words = ("score", "inside", "--detector", "detector", "--engine", "ray", "--out", "scores")
    done = amsdf(capsys, *words)
    assert done.status == 1 and "23 scored + 1 failed = 24 listed; scores in scores" in done.out
    assert_each_once(place / "scores")


def test_rows_that_are_left_become_units(place):
    """The rows without a score come as an array of numpy."""
    manifest = read_manifest(Path("toy"))
    left = np.flatnonzero(np.arange(24) % 2)
    clips = [clip for unit in manifest_units(manifest, left, 5) for clip in unit.clips()]
    assert [clip.row for clip in clips] == left.tolist()
    assert [clip.utt for clip in clips] == [manifest.table["utt"][row] for row in left.tolist()]


@pytest.mark.slow
def test_an_evaluation_by_a_cluster_is_that_of_this_process(capsys, place, cluster):
    words = ("--detector", "detector", "--on", "toy/eval", "--batch-size", "2", "--quiet")
    amsdf(capsys, "eval", *words, "--out", "local")
    done = amsdf(capsys, "eval", *words, "--out", "ray", "--engine", "ray")
    assert done.status == 1 and "7 scored + 1 failed = 8 listed" in done.out
    local, by_ray = (
        read_scores(place / out / "detector/toy__eval.tsv") for out in ("local", "ray")
    )
    assert by_ray.header == local.header
    assert by_ray.table.drop("score").equals(local.table.drop("score"))
    assert (by_ray.table["score"] - local.table["score"]).abs().max() < 1e-5


@pytest.mark.slow
def test_tables_elsewhere_with_sound_beside_them(place, cluster):
    """And mended clips: what failed is tried again, alone."""
    elsewhere = fs.SubTreeFileSystem(str(place), fs.LocalFileSystem())
    given = collection.Collection.at("beside", elsewhere)
    detector = Detector.from_pretrained("detector")
    collection.score_collection(("detector", detector), given, (elsewhere, "out"), SETTINGS)
    assert_each_once(place / "out")

    shutil.copy("toy/audio/eval_0_spoof.wav", f"toy/audio/{BAD}.wav")
    collection.score_collection(("detector", detector), given, (elsewhere, "out"), SETTINGS)
    assert sorted(len(pl.read_parquet(path)) for path in place.glob("out/scores-*"))[0] == 1
    assert not (place / "out/failed.parquet").exists()


def pids_of(words: str) -> list[int]:
    """Processes of this machine whose title holds these words."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            title = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if words in title:
            found.append(int(entry.parent.name))
    return found


@pytest.mark.slow
def test_a_scoring_process_that_is_killed_loses_nothing(place, cluster):
    manifest = read_manifest(Path("toy"))
    units = manifest_units(manifest, range(24), 2)
    detector = slowed(Detector.from_pretrained("detector"))
    judged, killed = [], []
    for batch in ray_data.judge_units(units, detector, SETTINGS):
        judged += batch
        if not killed:
            killed = pids_of("ScoringActor")
            assert killed and len(judged) < 12
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
    assert sorted(each.row for each in judged) == list(range(24))
    expected = by_this_process()
    scores = {each.utt: each.score for each in judged if not each.reason}
    assert scores == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_a_command_that_is_killed_goes_on(place, cluster):
    """What is in the results is not scored again."""
    driver = subprocess.Popen(
        [sys.executable, str(TESTS / "ray_driver.py"), "inside", "scores"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.time() + 120
    while not list(place.glob("scores/scores-*.parquet")) and time.time() < deadline:
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    first = {path: path.read_bytes() for path in place.glob("scores/scores-*.parquet")}
    done = sum(len(pl.read_parquet(path)) for path in first)
    assert 0 < done < 23

    detector = Detector.from_pretrained("detector")
    given, out = collection.Collection.at("inside"), (fs.LocalFileSystem(), str(place / "scores"))
    collection.score_collection(("detector", detector), given, out, SETTINGS)
    assert_each_once(place / "scores")
    assert all(path.read_bytes() == content for path, content in first.items())


# Without a cluster


def test_only_rows_without_a_score_are_to_be_done(place):
    given = collection.Collection.at("inside")
    files = sorted(given.heights)
    results = ResultFolder(given.files, str(place / "out"), {"detector": "a"})
    for row in (0, 1, 7):
        results.add([ScoredRow(files[0], row, f"u{row}", 0.5)])
        results.flush()
    results.add([ScoredRow(files[0], 3, "u3", 0.0, "broken")])
    results.finish()
    (place / "out/.scores-000003.parquet").write_bytes(b"half")

    again = ResultFolder(given.files, str(place / "out"), {"detector": "a"})
    units = file_units(given.files, given.heights, again.done(), 5)
    rows = [(unit.file, clip.row) for unit in units for clip in unit.clips()]
    expected = [(file, row) for file in files for row in range(12)]
    assert rows == [each for each in expected if each not in [(files[0], r) for r in (0, 1, 7)]]
    other = ResultFolder(given.files, str(place / "out"), {"detector": "b"})
    with pytest.raises(ValueError, match="of another detector or of other settings"):
        other.done()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("score", "a.parquet", "--engine", "ray"), "say where with --out FOLDER"),
        (("score", "a.parquet", "--engine", "ray", "--out", "o", "--json"), "single recordings"),
        (("score", "none", "--engine", "ray", "--out", "o"), "none: no such file or folder"),
        (("score", "toy/audio", "--engine", "ray", "--out", "o"), "is no Parquet file and no"),
        (("score", "bad.parquet", "--engine", "ray", "--out", "o"), "neither a column of sound"),
        (("score", "toy", "--address", "here:1"), "belongs to --engine ray"),
        (("score", "toy", "--engine", "ray", "--precision", "auto"), "choose for itself"),
        (("eval", "--on", "toy", "--address", "here:1"), "belongs to --engine ray"),
    ],
)
def test_what_cannot_be_scored_is_refused(capsys, place, words, line):
    pl.DataFrame({"x": [1]}).write_parquet("bad.parquet")
    assert line in refused(capsys, *words, "--detector", "detector")


def test_without_ray_one_line_says_how_to_install_it(capsys, place, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name="ray")

    monkeypatch.setattr(row_scorer, "import_module", missing)
    words = ("eval", "--detector", "detector", "--on", "toy/eval", "--engine", "ray", "--quiet")
    assert "not installed: pip install 'amsdf[ray]'" in refused(capsys, *words)
    words = ("score", "inside", "--detector", "detector", "--engine", "ray", "--out", "o")
    assert "not installed: pip install 'amsdf[ray]'" in refused(capsys, *words)
