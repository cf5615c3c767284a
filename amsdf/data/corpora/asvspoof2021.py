"""ASVspoof 2021: logical access, physical access and deepfake, by their countermeasure keys.

Papers report `eval`; `progress` and `hidden` are other trials of the same key, and `all` pools the
three as some benchmarks do. The label is the column for it and never guessed from the attack: the
attack of a bona fide trial reads `bonafide` in one key and `-` in another. Physical access has no
attack column: there it is the replay device.
"""

from functools import partial
from pathlib import Path

import polars as pl

from amsdf.data.corpora.reading.columns import PROTOCOLS
from amsdf.data.corpora.reading.protocol import (
    WrongLayout,
    assume_path,
    corpus_manifest,
    find_path,
    read_fields,
    with_paths,
)
from amsdf.data.corpora.reading.reader import Corpus
from amsdf.data.manifest import Manifest


def _read(root: Path, split: str, task: str) -> Manifest:
    places = (f"keys/{task}/CM", f"{task}/CM", f"{task}-keys-full/keys/{task}/CM", "keys/CM", "CM")
    key = find_path(root, *(f"{place}/trial_metadata.txt" for place in places))
    columns = PROTOCOLS[f"asvspoof2021-{task.lower()}"]
    always = columns.index("subset") + 1
    table = read_fields(key, columns[:always], columns[always:]).rename({"subset": "split"})
    # Some keys call the hidden trials `hidden_track`; of physical access there are two parts.
    table = table.with_columns(pl.col("split").str.replace("_track_?", ""))
    if split != "all":
        table = table.filter(pl.col("split").str.starts_with(split))
        if not len(table):
            raise WrongLayout(f"{key} has no trials of {split!r}")
    if task == "PA":
        table = table.with_columns(attack="device")
    audio = assume_path(root, f"ASVspoof2021_{task}_eval/flac", "flac")
    return corpus_manifest(
        f"asvspoof2021-{task.lower()}", split, [with_paths(table, audio, ".flac")]
    )


def _corpus(task: str, source: str, counts: dict[str, tuple[int, int]] | None = None) -> Corpus:
    known = {"utt", "label", "subset"}
    kept = [name for name in PROTOCOLS[f"asvspoof2021-{task.lower()}"] if name not in known]
    kept += ["attack"] * (task == "PA")
    return Corpus(
        name=f"asvspoof2021-{task.lower()}",
        splits=("eval", "progress", *(("hidden1", "hidden2") if task == "PA" else ("hidden",))),
        pooled=("hidden", "all") if task == "PA" else ("all",),
        read=partial(_read, task=task),
        source=f"ASVspoof 2021 {task}, {source}; keys from https://www.asvspoof.org",
        licence="ODC-By",
        columns=tuple(kept),
        layout=f"""
            keys/{task}/CM/trial_metadata.txt
            ASVspoof2021_{task}_eval/flac/<utterance>.flac
        """,
        counts=counts or {},
    )


LA = _corpus(
    "LA",
    "https://zenodo.org/records/4837263",
    {
        "eval": (14_816, 133_360),
        "progress": (1_676, 14_788),
        "hidden": (1_960, 14_966),
        "all": (18_452, 163_114),
    },
)
PA = _corpus("PA", "https://zenodo.org/records/4834716")
DF = _corpus(
    "DF",
    "https://zenodo.org/records/4835108",
    {
        "eval": (14_869, 519_059),
        "progress": (5_768, 53_557),
        "hidden": (1_980, 16_596),
        "all": (22_617, 589_212),
    },
)
