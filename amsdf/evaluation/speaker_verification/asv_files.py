"""Files of speaker-verification (ASV) scores, by corpus, for the t-DCF."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from amsdf.scoring.score_files.keys import DEFAULT_SUBSET, read_asv_table
from amsdf.scoring.score_files.table import Scores, corpus_of


@dataclass(frozen=True)
class AsvFiles:
    """Files as a person names them: FILE for the only corpus, or CORPUS=FILE."""

    scores: Sequence[str] = ()
    #: Keys of score files in the layout of ASVspoof 2021.
    keys: Sequence[str] = ()
    #: The part of the trials that counts; without it, the part that goes with the corpus.
    subset: str | None = None

    def read(self, tables: Sequence[Scores]) -> dict[str, pl.DataFrame]:
        """Corpus -> its ASV trials, for the corpora of the score tables."""
        files = _by_corpus("--asv", self.scores, [corpus_of(table) for table in tables])
        keys = _by_corpus("--asv-key", self.keys, list(files))
        return {
            corpus: read_asv_table(path, keys.get(corpus), self.subset or _subset(corpus))
            for corpus, path in files.items()
        }


def _by_corpus(flag: str, words: Sequence[str], corpora: Sequence[str]) -> dict[str, Path]:
    corpora = list(dict.fromkeys(corpora))
    known = ", ".join(corpora)
    found = {}
    for word in words:
        name, equals, path = word.rpartition("=")
        if not corpora:
            raise ValueError(f"{flag} {word}: belongs to ASV scores; give them with --asv")
        if not equals and len(corpora) > 1:
            raise ValueError(f"{flag} {word}: say which corpus, CORPUS=FILE; {known}")
        if equals and name not in corpora:
            raise ValueError(f"{flag} {word}: no scores of {name!r}; there are {known}")
        found[name if equals else corpora[0]] = Path(path)
    return found


def _subset(corpus: str) -> str:
    """The part of the ASV trials that goes with a part of the 2021 corpora."""
    split = corpus.partition("/")[2]
    return split if split in ("progress", "hidden", "all") else DEFAULT_SUBSET
