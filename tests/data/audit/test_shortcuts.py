"""Shortcuts: single measures, and the joint baseline of all of them."""

import numpy as np
import polars as pl
import pytest

from amsdf.data.audit.measures.baseline import fit_baseline
from amsdf.data.audit.measures.shortcuts import MEASURES, WORDS, find_shortcuts
from amsdf.data.audit.shortcut_findings import find_alone, find_together, in_words

TYPICAL = {"format": ".wav PCM_16", "sample_rate": 16_000.0, "channels": 1.0}


def clips(real: int, fake: int, seed: int = 0, **changes) -> pl.DataFrame:
    """Measures that say nothing of the class, but for `changes`."""
    rng = np.random.default_rng(seed)
    number = real + fake
    columns = {name: [TYPICAL[name]] * number for name in WORDS}
    columns |= {name: np.abs(rng.normal(5, 1, number)) for name in MEASURES if name not in WORDS}
    label = np.arange(number) < real
    columns |= {name: change(label, rng) for name, change in changes.items()}
    return pl.DataFrame({"label": label.astype("i1"), **columns})


def found_alone(table: pl.DataFrame) -> dict:
    return {finding.kind: finding for finding in find_alone("it", find_shortcuts(table))}


def test_a_measure_that_differs_is_named_with_typical_values():
    found = found_alone(clips(20, 20, level=lambda label, _: np.where(label, -20.0, -26.0)))
    (finding,) = found.values()
    assert finding.serious and finding.kind == "shortcut-level"
    assert "EER 0 %: typically -20 dB in real clips, -26 dB in fakes" in finding.text


@pytest.mark.parametrize("larger", [True, False])
def test_either_direction_counts(larger):
    found = found_alone(clips(20, 20, duration=lambda label, _: np.where(label == larger, 9, 3.0)))
    assert "EER 0 %" in found["shortcut-duration"].text


def test_a_class_that_varies_less_is_told_apart():
    table = clips(40, 40, level=lambda label, rng: np.where(label, rng.normal(-26, 5, 80), -26.0))
    assert "varies less in one class" in found_alone(table)["shortcut-level"].text


@pytest.mark.parametrize(("number", "serious"), [(3, False), (6, False), (9, True)])
def test_formats_are_compared_as_words(number, serious):
    table = clips(number, number, format=lambda label, _: np.where(label, ".wav", ".flac").tolist())
    finding = found_alone(table)["shortcut-format"]
    assert "typically .wav in real clips, .flac in fakes" in finding.text
    assert finding.serious == serious


def test_a_constant_separates_nothing():
    """Trap: with ties walked bona fide first, a constant would get EER 1 and look perfect."""
    table = clips(2, 3, level=lambda *_: [5.0] * 5).head(5)
    assert find_shortcuts(table).is_empty(), "two clips are too few"
    shortcuts = find_shortcuts(clips(3, 3, level=lambda *_: [5.0] * 6))
    alike = shortcuts.filter(pl.col("measure").is_in(["level", *WORDS]))
    assert alike["separation"].to_list() == [0.5] * 4 and alike["p_value"].to_list() == [1.0] * 4


def test_differences_too_small_to_use_are_none():
    table = clips(20, 20, dc_offset=lambda label, _: np.where(label, 0.0, 1e-5))
    assert not found_alone(table)


def test_many_weak_measures_together_are_a_shortcut():
    """None of them alone is; the baseline adds them up."""

    def a_little(label, rng):
        return rng.normal(5, 1, len(label)) + 0.9 * label

    weak = dict.fromkeys(("level", "noise_floor", "bandwidth", "trailing_silence"), a_little)
    weak |= dict.fromkeys(("duration", "leading_silence"), a_little)
    table = clips(150, 150, **weak)
    baseline = fit_baseline("it", table)
    assert baseline.eer < 0.2 and baseline.low < baseline.eer < baseline.high
    (finding,) = find_together(baseline)
    assert finding.serious and "told apart without listening" in in_words(baseline)
    assert not any(finding.serious for finding in found_alone(table).values())


def test_chance_is_not_called_a_shortcut():
    """Twenty corpora of 10 and 10 clips with nothing in them: at most a note or two."""
    tables = [clips(10, 10, seed=seed) for seed in range(20)]
    together = [find_together(fit_baseline("it", table)) for table in tables]
    alone = [found_alone(table) for table in tables]
    assert sum(map(bool, together)) <= 3 and sum(map(bool, alone)) <= 3
    assert not any(finding.serious for found in together for finding in found)


def test_few_clips_are_too_few_to_say():
    baseline = fit_baseline("it", clips(9, 30))
    assert baseline.eer is None and not find_together(baseline)
    assert in_words(baseline) == "it: 9 real, 30 fake: too few to say, it takes 10 of each"
    assert in_words(fit_baseline("it", clips(0, 30))).endswith("one class, nothing to tell")


def test_the_baseline_is_judged_on_sources_it_has_not_seen():
    """A level that differs in each source in its own way is of no use elsewhere."""
    source = np.tile(np.arange(8), 20).astype(str)
    sign = 2 * (source.astype(int) % 2) - 1

    def level(label, rng):
        return rng.normal(size=160) + 5 * sign * (2 * label - 1)

    table = clips(80, 80, level=level)
    by_clip = fit_baseline("it", table)
    by_source = fit_baseline("it", table.with_columns(source=pl.Series(source)))
    assert (by_clip.folds_by, by_source.folds_by) == ("clip", "source")
    assert "on sources that it has not seen" in in_words(by_source)
    speaker = fit_baseline(
        "it", table.with_columns(source=pl.lit("one"), speaker=pl.Series(source))
    )
    assert speaker.folds_by == "speaker"
    one_class = pl.when(pl.col("label") == 1).then(pl.lit("a")).otherwise(pl.lit("b"))
    assert fit_baseline("it", table.with_columns(source=one_class)).folds_by == "clip"
