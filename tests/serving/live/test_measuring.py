"""False alarms of a detector, measured on anybody's speech."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import calibrated_detector
from toy_sounds import speech
from toys import write_wav

from amsdf.audio import read_audio
from amsdf.data.manifest import build_manifest
from amsdf.scoring.judging.judge import load
from amsdf.serving.live.false_alarms import AlarmTable
from amsdf.serving.live.measuring import Heard, hear_streams, streams_of, table_of
from amsdf.serving.live.policy import measured_table, with_alarms, with_known_alarms
from amsdf.serving.live.stream import LiveJudge, LiveSettings

HOUR = 4 * 3600  # steps


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return calibrated_detector(tmp_path_factory.mktemp("live") / "mine")


@pytest.fixture(scope="module")
def judge(folder):
    return load(folder, device="cpu")


def manifest(rows, columns=("utt", "path", "label", "speaker", "attack")):
    return build_manifest("mine", pl.DataFrame(rows, schema=list(columns), orient="row"))


def heard(part, *evidence, every=1000, steps=HOUR, begins=0.0):
    """A stream in which evidence comes at some steps, and as much against it in between."""
    timeline = np.zeros(steps)
    for place, value in enumerate(evidence, 1):
        timeline[place * every], timeline[place * every + 500] = value, -100.0
    return Heard(part, tuple(timeline.tolist()), begins)


def test_half_of_the_speakers_choose_and_the_others_check():
    rows = [(f"{name}{turn}", f"/{name}{turn}.wav", "real", name, "-")
            for name in "dbca" for turn in (1, 0)]  # fmt: skip
    rows += [(f"x{turn}", f"/x{turn}.wav", "fake", "b", system)
             for turn, system in enumerate(["tts"] * 9 + ["vc"])]  # fmt: skip
    chosen, checked, tts, vc = streams_of(manifest(rows))
    names = [[path for path, _, _ in stream.clips] for stream in (chosen, checked, tts, vc)]
    assert names[0] == ["/a0.wav", "/a1.wav", "/c0.wav", "/c1.wav"]
    assert names[1] == ["/b0.wav", "/b1.wav", "/d0.wav", "/d1.wav"]
    assert names[2] == [
        "/a0.wav",
        "/a1.wav",
        "/b0.wav",
        "/b1.wav",
        *(f"/x{n}.wav" for n in range(8)),
    ]
    assert names[3][4:] == ["/x9.wav"] and vc.num_before == 4 and vc.part == "fake"


def test_speech_without_speakers_and_labels_counts_file_by_file():
    found = streams_of(manifest([("b", "/b.wav"), ("a", "/a.wav")], ("utt", "path")))
    assert [(each.part, each.clips[0][0]) for each in found] == [
        ("chosen", "/a.wav"),
        ("checked", "/b.wav"),
    ]


def test_the_lowest_limit_is_taken_that_the_chosen_speech_allows(judge):
    streams = [
        *(heard("chosen", *[1.1] * 6, 2.6), heard("chosen")),
        *(heard("checked", 1.1, 2.6, 2.6), heard("checked")),
        *(heard("fake", 3.0, begins=200.0, steps=4000), heard("fake", 1.6, steps=4000)),
        heard("fake", 3.0, begins=300.0, steps=4000),
    ]
    table = table_of(LiveJudge(judge), streams, {"mine": "abc"})
    by_limit = {rate.limit: rate for rate in table.rates}
    # In two hours: 7 alarms, below 6.6 an hour; 1, below 2.4; 0, below 1.5.
    assert sorted(by_limit) == [1.0, 1.25, 2.75] and table.corpora == {"mine": "abc"}
    assert [by_limit[limit].chosen.alarms for limit in sorted(by_limit)] == [7, 1, 0]
    assert by_limit[1.25].checked.alarms == 2
    assert by_limit[1.25].detection.found == 2 and by_limit[2.75].detection.found == 1
    assert by_limit[2.75].detection.median_delay == pytest.approx(250.25 - 200.0)
    assert table.for_rate(4).limit == 1.25 and table.lowest.limit == 2.75
    assert by_limit[1.25].chosen.most_per_hour == pytest.approx(4.744 / 2, abs=1e-3)


def test_too_little_speech_is_refused(judge):
    live = LiveJudge(judge)
    with pytest.raises(ValueError, match="two speakers or more"):
        table_of(live, [heard("chosen")])
    with pytest.raises(ValueError, match=r"1\.0 minutes of real speech .* fewer than 120"):
        table_of(live, [heard("chosen", steps=240), heard("checked")])


def test_what_is_measured_is_what_live_raises(judge, tmp_path):
    paths = [write_wav(tmp_path / f"{name}.wav", speech(8.0, seed=name)) for name in range(2)]
    rows = [(path.stem, str(path), "real", path.stem, "-") for path in paths]
    rows.append(("gone", str(tmp_path / "gone.wav"), "real", "0", "-"))
    chosen, checked = hear_streams(judge, streams_of(manifest(rows)), LiveSettings(span=5.0))
    assert "gone.wav" in chosen.failed[0] and not checked.failed
    assert 8 * 4 < len(checked.timeline) < 10 * 4
    live = LiveJudge(judge, LiveSettings(span=5.0))
    wanted = [each.evidence for each in live.feed(read_audio(paths[1]))]
    known = [each for each in checked.timeline[: len(wanted)] if each is not None]
    assert known == pytest.approx([each for each in wanted if each is not None], abs=1e-6)
    assert any(known)


def test_a_table_serves_its_detector_its_calibration_and_its_times_only(judge, folder, tmp_path):
    table = table_of(LiveJudge(judge), [heard("chosen"), heard("checked")])
    table.write(tmp_path / "it.json")
    table = AlarmTable.read(tmp_path / "it.json")
    assert with_alarms(judge, LiveSettings(), table)[0].alarm == table.lowest.limit
    calibration = replace(judge.calibration, llrs=(-1.0, 9.0))
    for other, settings, words in (
        (replace(judge, calibration=calibration), LiveSettings(), "another calibration"),
        (judge, LiveSettings(span=5.0), "span 5: false alarms were measured with 10"),
    ):
        with pytest.raises(ValueError, match=words):
            with_alarms(other, settings, table)
    try:
        replace(table, detector="abc").write(folder / "live_alarms.json")
        settings, words = with_known_alarms(judge, LiveSettings(), [str(folder)])
        assert settings.alarm is None and "measure them again" in words
    finally:
        (folder / "live_alarms.json").unlink()


def test_the_table_of_the_starter_fits_it_and_is_that_of_the_docs():
    starter = load("starter", device="cpu")
    table = measured_table(starter, ["starter"])
    assert with_alarms(starter, LiveSettings(), table)[0].alarm == 5.75
    page = (Path(__file__).parents[3] / "docs" / "live.md").read_text(encoding="utf-8")
    for rate in table.rates:
        found = f"{rate.detection.found} of 50 | {rate.detection.median_delay:.1f} s"
        row = f"| {rate.limit:g} | {rate.chosen.brief} | {rate.checked.brief} | {found} |"
        assert row in page


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rates": [{}]}'])
def test_what_is_no_table_is_refused(tmp_path, text):
    (tmp_path / "it.json").write_text(text)
    with pytest.raises(ValueError, match=r"it\.json: is not a table of false alarms"):
        AlarmTable.read(tmp_path / "it.json")
