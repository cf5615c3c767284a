"""Findings in the table of a corpus, for which no file is opened: speakers, classes, labels."""

import itertools
import re

import polars as pl

from amsdf.conventions import BONAFIDE, SPOOF
from amsdf.data.audit.copy_findings import LEAK
from amsdf.data.audit.findings import Finding, about, count, some, some_of
from amsdf.data.manifest import LABEL_WORDS

#: What stands where nothing is known.
UNKNOWN = ("", "-", "unknown", "none", "nan", "n/a")
#: Columns that name where a clip is from; each of their groups should have both classes.
GROUPS = (
    *("source", "codec", "language", "gender", "sex", "device", "environment", "room", "channel"),
    "dataset",
)
CLASS_NAMES = {BONAFIDE: "real", SPOOF: "fake"}
#: A group with fewer clips may have one class by chance.
_FEWEST = 5
#: A share of clips that is as good as all.
_NEARLY_ALL = 0.95
#: What findings about all parts are said of.
ALL_PARTS = "all together"
_TESTS = {"eval", "evaluation", "test", "progress", "hidden", "hidden1", "hidden2"}
_SPLITS = {
    *("train", "training", "dev", "development", "val", "valid", "validation"),
    *("eval", "evaluation", "test"),
}


def find_in_table(listed: pl.DataFrame) -> list[Finding]:
    """Findings of each part.

    Args:
        listed: Rows with `part`, `utt`, `path`, `label` and, where known, `speaker`, `attack` and
            the columns of `GROUPS`.
    """
    found: list[Finding | None] = []
    parts = listed.partition_by("part", maintain_order=True)
    found += [_unlabelled(rows) or _one_class(rows, listed) for rows in parts]
    found += [_spellings(rows) for rows in parts]
    found += [_speaker_is_class(rows) for rows in parts]
    found += [_group_is_class(rows, column) for column in GROUPS for rows in parts]
    found += [_attack_on_real(rows) for rows in parts]
    found += [_label_not_folder(rows) for rows in parts]
    return [finding for finding in found if finding]


def known(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """The rows where a column says something."""
    if column not in rows.columns:
        return rows.clear().with_columns(pl.lit(None, pl.String).alias(column))
    word = pl.col(column).str.strip_chars().str.to_lowercase()
    return rows.filter(word.is_not_null() & ~word.is_in(UNKNOWN))


def _unlabelled(rows: pl.DataFrame) -> Finding | None:
    utts = tuple(rows.filter(pl.col("label").is_null())["utt"])
    if not utts:
        return None
    text = f"{about(len(utts), 'have no label')}: {some(utts)}"
    return Finding(rows["part"][0], "unlabelled", text, "say bonafide or spoof", utts=utts)


def _one_class(rows: pl.DataFrame, listed: pl.DataFrame) -> Finding | None:
    labels = rows["label"].unique().to_list()
    if len(labels) > 1:
        return None
    part = rows["part"][0]
    own = pl.col("part").str.split("/").list.first() == part.partition("/")[0]
    is_split = listed.filter(own)["part"].n_unique() > 1
    advice = "no error rate exists without the other class: " + (
        "move some of it here" if is_split else "use it together with another corpus"
    )
    text = f"has only {CLASS_NAMES[labels[0]]} clips"
    return Finding(part, "one-class", text, advice, serious=is_split)


def normal_form(name: str) -> str:
    """A name without what people write differently: case, blanks, dashes."""
    return re.sub(r"[\s_-]+", " ", name.strip().casefold())


def _spellings(rows: pl.DataFrame) -> Finding | None:
    spellings: dict[str, list[str]] = {}
    for name in known(rows, "speaker")["speaker"].unique(maintain_order=True):
        spellings.setdefault(normal_form(name), []).append(name)
    twice = [" = ".join(map(repr, names)) for names in spellings.values() if len(names) > 1]
    if not twice:
        return None
    text = f"{count(len(twice), 'speaker')} under two names: {some_of(twice)}"
    advice = "write each name in one way, or one person counts as two"
    return Finding(rows["part"][0], "speaker-spelling", text, advice, serious=False)


def _by_group(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Each group's number of clips, its (lowest) label and its number of classes."""
    return rows.group_by(column, maintain_order=True).agg(
        pl.len().alias("clips"), pl.col("label").min(), pl.col("label").n_unique().alias("classes")
    )


def _speaker_is_class(rows: pl.DataFrame) -> Finding | None:
    """Speakers of one class each. Of a speaker with a single clip nobody can learn anything."""
    named = known(rows, "speaker")
    one = _by_group(named, "speaker").filter(pl.col("classes") == 1)
    clips = int(one["clips"].sum())
    if one["label"].n_unique() < 2 or clips < max(_NEARLY_ALL * len(named), 2 * len(one)):
        return None
    real, fake = (int((one["label"] == label).sum()) for label in (BONAFIDE, SPOOF))
    text = f"no speaker is in both classes: {real:,} only real, {fake:,} only fake"
    advice = "a detector may learn who speaks: add fakes of the real speakers"
    return Finding(rows["part"][0], "speaker-is-class", text, advice)


def _group_is_class(rows: pl.DataFrame, column: str) -> Finding | None:
    """Groups of one class in a part of two: where a clip is from then tells what it is."""
    named = known(rows, column)
    groups = _by_group(named, column)
    one = groups.filter((pl.col("classes") == 1) & (pl.col("clips") >= _FEWEST))
    if not len(one) or len(groups) < 2 or rows["label"].n_unique() < 2:
        return None
    words = [
        f"only {CLASS_NAMES[label]}: {some(of[column])}"
        for label in (BONAFIDE, SPOOF)
        if len(of := one.filter(pl.col("label") == label))
    ]
    text = f"{len(one)} of {count(len(groups), column)} have one class ({'; '.join(words)})"
    advice = f"the {column} tells the class, and a detector may learn it: add the other class"
    serious = one["clips"].sum() >= _NEARLY_ALL * len(named)
    return Finding(rows["part"][0], f"{column}-is-class", text, advice, serious)


def _attack_on_real(rows: pl.DataFrame) -> Finding | None:
    attack = pl.col("attack")
    named = known(rows, "attack")
    if not len(named):
        return None
    named = named.filter(~attack.str.to_lowercase().is_in(list(LABEL_WORDS)))
    real, fake = (named.filter(pl.col("label") == label) for label in (BONAFIDE, SPOOF))
    both = real.join(fake, on="attack", how="semi")
    if not len(both):
        return None
    text = (
        f"{about(len(both), 'are labelled real')} but have the attack of fakes "
        f"({some(both['attack'].unique().sort())}): {some(both['utt'])}"
    )
    advice = "correct the label or the attack"
    return Finding(rows["part"][0], "attack-on-real", text, advice, utts=tuple(both["utt"]))


def _label_not_folder(rows: pl.DataFrame) -> Finding | None:
    named = rows.select("utt", "label", word=_folder_words(rows["path"])).drop_nulls("word")
    utts = tuple(named.filter(pl.col("word") != pl.col("label"))["utt"])
    if named["word"].n_unique() < 2 or not utts:
        return None
    text = f"{about(len(utts), 'lie in a folder named after the other class')}: {some(utts)}"
    advice = "correct the label, or move the file"
    return Finding(rows["part"][0], "label-not-folder", text, advice, utts=utts)


def _folder_words(paths: pl.Series) -> pl.Series:
    """What the nearest folder named after a class says: 1, 0, or null."""
    folders = [path.rpartition("/")[0] for path in paths]
    said: dict[str, int | None] = {}
    for folder in set(folders):
        words = (LABEL_WORDS.get(word.lower()) for word in reversed(folder.split("/")))
        said[folder] = next((word for word in words if word is not None), None)
    return pl.Series([said[folder] for folder in folders], dtype=pl.Int8)


def find_between(listed: pl.DataFrame) -> list[Finding]:
    """Findings in pairs of parts: ids and speakers that they share.

    Splits of one corpus must not. Of several corpora it is good to know who is in two.
    """
    found: list[Finding | None] = []
    parts = listed.partition_by("part", maintain_order=True)
    for first, second in itertools.combinations(parts, 2):
        if _are_splits(first["part"][0], second["part"][0]):
            found += [_shared_ids(first, second), _shared_speakers(first, second)]
    found.append(_in_several_corpora(listed))
    return [finding for finding in found if finding]


def _are_splits(first: str, second: str) -> bool:
    words = {name.rpartition("/")[2].lower() for name in (first, second)}
    return first.partition("/")[0] == second.partition("/")[0] or words <= _SPLITS


def _shared_ids(first: pl.DataFrame, second: pl.DataFrame) -> Finding | None:
    utts = tuple(second.join(first, on="utt", how="semi")["utt"])
    if not utts:
        return None
    text = f"shares {count(len(utts), 'id')} with {first['part'][0]}: {some(utts)}"
    return Finding(second["part"][0], "shared-id", text, LEAK, utts=utts)


def _names(rows: pl.DataFrame) -> dict[str, str]:
    """Speakers by their normal form."""
    names = known(rows, "speaker")["speaker"].unique(maintain_order=True)
    return {normal_form(name): name for name in reversed(names.to_list())}


def _only_test(*rows: pl.DataFrame) -> bool:
    """Whether all parts are for testing: nothing learnt in one is used in another."""
    return {part["part"][0].rpartition("/")[2].lower() for part in rows} <= _TESTS


def _shared_speakers(first: pl.DataFrame, second: pl.DataFrame) -> Finding | None:
    mine, theirs = _names(first), _names(second)
    pairs = [(theirs[name], mine[name]) for name in theirs if name in mine]
    if not pairs:
        return None
    shown = [repr(one) if one == other else f"{one!r} = {other!r}" for one, other in pairs]
    text = f"shares {count(len(pairs), 'speaker')} with {first['part'][0]}: {some_of(shown)}"
    advice = "a detector may know them by voice, and the figure is too good: keep them in one part"
    serious = not _only_test(first, second)
    return Finding(second["part"][0], "shared-speaker", text, advice, serious)


def _in_several_corpora(listed: pl.DataFrame) -> Finding | None:
    corpora: dict[str, dict[str, str]] = {}
    for rows in listed.partition_by("part", maintain_order=True):
        for form, name in _names(rows).items():
            corpora.setdefault(form, {})[rows["part"][0].partition("/")[0]] = name
    several = {form: found for form, found in corpora.items() if len(found) > 1}
    if not several:
        return None
    most = sorted(several.values(), key=len, reverse=True)
    shown = [f"{next(iter(names.values()))!r} ({', '.join(names)})" for names in most]
    text = f"{count(len(several), 'speaker')} in several of the corpora: {some_of(shown)}"
    advice = "a detector may know them by voice: train and test on corpora without common speakers"
    return Finding(ALL_PARTS, "speaker-in-corpora", text, advice, serious=False)
