"""What the Arena's package would rank as nonsense, and is refused here, in one line each."""

from collections.abc import Mapping
from pathlib import Path

from amsdf.data.manifest import Manifest
from amsdf.evaluation.arena.files import FILES
from amsdf.scoring.outcomes import Outcome
from amsdf.scoring.score_files.table import read_scores
from amsdf.scoring.scorer import NOT_FINITE, score_path
from amsdf.scoring.training_data import SEEN, KnownCorpora, find_overlap

MOST_SKIPPED = 0.05
_REMEDY = "the Arena scores what a system does not know. Give another corpus"
_WORDS = {"detector_hash": "detector", "manifest_hash": "version of the corpus"}


def refuse_split_ids(manifest: Manifest) -> None:
    """Refuse ids that white space would split: the reader there takes two words a line."""
    split = [utt for utt in manifest.table["utt"] if utt.split() != [utt]]
    if split:
        raise ValueError(
            f"{manifest.name}: {len(split)} ids are empty or hold white space, first "
            f"{split[0]!r}; the Arena reads two words a line. Give a manifest with a column utt "
            "of ids without spaces"
        )


def refuse_known(name: str, known: KnownCorpora, manifest: Manifest) -> None:
    """Refuse a corpus that the detector was trained or chosen on, whole or in part.

    It is known again by its name, and by its clips whatever it is called.
    """
    here = manifest.name.split("+")
    for what, corpora in (("trained", known.train), ("chosen", known.dev)):
        parts = [part for corpus in corpora for part in corpus.name.split("+")]
        same = [part for part in parts if any(_overlap(part, other) for other in here)]
        if same:
            raise ValueError(f"{manifest.name}: {name} was {what} on {same[0]}; {_REMEDY}")
    found = find_overlap(known, manifest)
    if found.mark == SEEN:
        raise ValueError(f"{manifest.name}: {name} has seen {found.detail}; {_REMEDY}")


def _overlap(one: str, other: str) -> bool:
    """Whether two references have clips in common: the same split, or a corpus and a part of it."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def refuse_other_work(out: Path, wanted: Mapping[str, str]) -> None:
    """Refuse a folder with results of another detector, corpus or setting."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is a file; --out names a folder")
    path = score_path(out, wanted["corpus"])
    own = (path.name, "failed.tsv")
    others = sorted(file.name for file in out.glob("*.tsv") if file.name not in own)
    if others:
        raise ValueError(f"{out}: holds {others[0]}, of another corpus; give another --out")
    left = [name for name in FILES if (out / name).exists()]
    if not path.is_file():
        if left:
            raise ValueError(f"{out}: holds {left[0]} without its scores; give another --out")
        return
    header = read_scores(path).header
    for key, value in wanted.items():
        if key not in ("torch", "detector") and header.get(key) != value:
            raise ValueError(
                f"{out}: holds scores of another {_WORDS.get(key, key)} "
                f"({header.get(key)}; now {value}); give another --out"
            )


def refuse_gaps(outcome: Outcome, out: Path) -> None:
    """Refuse scores that are no numbers, and too many that are missing."""
    endless = [utt for utt, _, reason in outcome.failed if reason.endswith(NOT_FINITE)]
    if endless:
        raise ValueError(
            f"{outcome.corpus}: {len(endless)} scores are not finite numbers, first of "
            f"{endless[0]!r}; the Arena would rank them. Repair the detector ({out / 'failed.tsv'})"
        )
    skipped = len(outcome.failed)
    if skipped > MOST_SKIPPED * outcome.listed:
        raise ValueError(
            f"{outcome.corpus}: {skipped} of {outcome.listed} clips could not be scored, more than "
            f"5 %; repair what {out / 'failed.tsv'} lists and start again"
        )
