"""Shortcuts in words: what all measures together get, and what each gets alone."""

import polars as pl

from amsdf.data.audit.findings import Finding
from amsdf.data.audit.measures.baseline import FEWEST, Baseline
from amsdf.data.audit.measures.shortcuts import MEASURES, NOTABLE, SUSPICIOUS, WORDS

#: What must not happen by chance more often, for a note and for a problem.
_BY_CHANCE, _HARDLY_BY_CHANCE = 0.05, 0.01
#: The joint EER is a problem if it is surely below the first, and worth a note if it is below the
#: second and not by chance.
_SURELY_BELOW, _BELOW = 0.35, 0.40
#: An interval that is wider says nothing.
_WIDE = 0.3
_ADVICE = "a detector may learn this and not the voice: make it alike in both classes"
_APART = {
    "source": "on sources that it has not seen",
    "speaker": "on speakers that it has not met",
    "clip": "on clips that it has not seen (perhaps of sources and speakers that it has)",
}


def find_alone(part: str, shortcuts: pl.DataFrame) -> list[Finding]:
    """Measures that separate the classes of a part by themselves, the strongest first.

    Args:
        part: The set of clips.
        shortcuts: What `find_shortcuts` found there.
    """
    # Of formats and the like no test is needed, where all of one class are of one kind.
    surely = (pl.col("p_value") < _BY_CHANCE) | (
        pl.col("measure").is_in(WORDS) & (pl.col("separation") == 1)
    )
    rows = shortcuts.filter((pl.col("separation") >= NOTABLE) & surely)
    found = []
    for row in rows.iter_rows(named=True):
        name = MEASURES[row["measure"]].name
        serious = row["separation"] >= SUSPICIOUS and row["p_value"] < _HARDLY_BY_CHANCE
        differs = "varies less in one class, which" if row["spread"] else "differs, which"
        text = (
            f"the {name} {differs} alone tells real from fake with EER "
            f"{100 * (1 - row['separation']):.0f} %: typically {row['bonafide']} in real clips, "
            f"{row['spoof']} in fakes"
        )
        kind = f"shortcut-{row['measure'].replace('_', '-')}"
        found.append(Finding(part, kind, text, _ADVICE, serious))
    return found


def find_together(baseline: Baseline) -> list[Finding]:
    """Whether all measures together tell the classes apart."""
    if baseline.eer is None or baseline.eer >= _BELOW or baseline.high >= 0.5:
        return []
    serious = baseline.high < _SURELY_BELOW
    text = f"real and fake clips differ in what takes no listening: EER {percent(baseline)}"
    return [Finding(baseline.name, "joint-shortcut", text, "see the top of this page", serious)]


def percent(baseline: Baseline) -> str:
    """The EER and its interval."""
    eer, low, high = (100 * value for value in (baseline.eer or 0.0, baseline.low, baseline.high))
    return f"{eer:.0f} % [{low:.0f}, {high:.0f}]"


def _unsure(baseline: Baseline) -> str:
    if baseline.low > 0.5:
        return "That is worse than guessing, so what it learnt there is no use here: no shortcut"
    if baseline.high - baseline.low > _WIDE:
        return "That may be guessing or not: too few clips to say"
    return "That may be guessing: no shortcut is seen"


def in_words(baseline: Baseline) -> str:
    """One baseline, for somebody who has never heard of it."""
    of = f"{baseline.num_bonafide:,} real, {baseline.num_spoof:,} fake"
    if baseline.eer is None:
        few = min(baseline.num_bonafide, baseline.num_spoof)
        why = f"too few to say, it takes {FEWEST} of each" if few else "one class, nothing to tell"
        return f"{baseline.name}: {of}: {why}"
    found = find_together(baseline)
    if not found:
        so = _unsure(baseline)
    elif found[0].serious:
        so = (
            "So real and fake can be told apart without listening, and a low EER of a detector on "
            "this corpus says little about fakes"
        )
    else:
        so = "So some of what a detector gets right here may not come from the voice"
    return f"{baseline.name}: EER {percent(baseline)} {_APART[baseline.folds_by]} ({of}). {so}"
