"""A corpus described in YAML: which tables or folders list its recordings, and what they say.

Text between braces stands for a value: of the split (`split`, and what `splits` gives it), or of a
column. In a pattern of recordings it names the column that is read from the path: `{attack}/*.wav`.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from amsdf.config import read_yaml
from amsdf.registry import nearest

Texts = str | list[str]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelWords(_Strict):
    """The column that says real or fake, and its words; `*` stands for any other word."""

    column: str
    bonafide: list[str] = Field(default_factory=list)
    spoof: list[str] = Field(default_factory=list)
    #: Rows with these words are left out.
    skip: list[str] = Field(default_factory=list)


class Translation(_Strict):
    """A column whose words are those of another, translated; others stay."""

    column: str
    words: dict[str, str]


class Rows(_Strict):
    """Where a part of the recordings is listed; one of `table`, `recordings` and `shards`."""

    #: A table below the root; of several, the first that is there.
    table: Texts = Field(default_factory=list)
    #: Which sound files below the root belong here: `*` within a name, `**` over folders.
    recordings: Texts = Field(default_factory=list)
    #: Parquet files or tar archives that hold the sound.
    shards: Texts = Field(default_factory=list)
    separator: Literal["comma", "tab", "bar", "semicolon", "blanks"] = "comma"
    #: Whether the first line of the table names its columns.
    header: bool = True
    #: Whether quotation marks enclose cells.
    quoted: bool = True
    #: Our name -> the table's; or the names in order, `_` where it is not kept, `...` behind the
    #: last where it takes the rest of the line; `?` behind what may be absent. Or the name of a
    #: protocol that this package knows.
    columns: dict[str, str] | list[str] | str = Field(default_factory=dict)
    #: Where the recording is, below the root; of several, the one where files are. `.*` at its end
    #: stands for the sound file of that name.
    audio: Texts = "{path}"
    #: What the utterance is called; it must be unique in a split.
    utt: str = "{utt}"
    #: `bonafide` or `spoof`, or where it is said.
    label: str | LabelWords = "{label}"
    #: Column -> a regular expression with named groups, each of which becomes a column.
    extract: dict[str, str] = Field(default_factory=dict)
    #: New column -> the column that it translates.
    translate: dict[str, Translation] = Field(default_factory=dict)
    #: Column -> the word that stands in each row.
    constants: dict[str, str] = Field(default_factory=dict)
    #: Column -> the words of the rows that belong here, in any case of letters.
    where: dict[str, Texts] = Field(default_factory=dict)
    #: Columns that are read and not kept.
    drop: list[str] = Field(default_factory=list)
    #: The splits that have these rows; without it, all.
    splits: list[str] = Field(default_factory=list)
    #: Whether a split is whole without them.
    optional: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> "Rows":
        given = [name for name in ("table", "recordings", "shards") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give one of table, recordings and shards, not {len(given)} of them")
        return self


class Description(_Strict):
    """What a YAML file says of a corpus."""

    name: str
    rows: list[Rows] = Field(min_length=1)
    title: str = ""
    source: str = ""
    licence: str = ""
    notes: str = ""
    layout: str = ""
    #: The folder of a corpus of your own, from the folder of this file.
    root: str = "."
    #: Split -> values for the braces.
    splits: dict[str, dict[str, str]] = {"all": {}}
    #: Further splits, made of rows of the others.
    pooled: dict[str, dict[str, str]] = Field(default_factory=dict)
    default_split: str = ""
    #: Split -> bona fide and spoof utterances as published.
    counts: dict[str, tuple[int, int]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_splits(self) -> "Description":
        known = {*self.splits, *self.pooled}
        named = {*self.counts, *(split for rows in self.rows for split in rows.splits)}
        for split in sorted(named | ({self.default_split} - {""})):
            if split not in known:
                raise ValueError(f"there is no split {split!r}; splits are {', '.join(known)}")
        return self

    def values(self, split: str) -> dict[str, str]:
        """What the braces of a split stand for."""
        return {"split": split, **(self.splits | self.pooled)[split]}


def read_description(path: Path, name: str) -> Description:
    """The description in a YAML file; an error names the key and what is wrong with it."""
    data: dict[str, Any] = {"name": name, **read_yaml(path)}
    try:
        return Description.model_validate(data)
    except ValidationError as error:
        raise ValueError(f"{path}: {_first_problem(error)}") from None


#: What the words of a key may be instead, as pydantic names it.
_CHOICES = ("str", "list[str]", "dict[str,str]", "LabelWords")


def _first_problem(error: ValidationError) -> str:
    """The one that lies deepest: of keys that may be two things, what was meant."""
    problem = max(error.errors(include_url=False), key=lambda each: len(each["loc"]))
    place = ".".join(str(step) for step in problem["loc"] if step not in _CHOICES)
    if problem["type"] == "extra_forbidden":
        owners: dict[Any, type[BaseModel]] = {"label": LabelWords, "translate": Translation}
        nearby = [owners[step] for step in problem["loc"][:-1] if step in owners]
        owner = nearby[0] if nearby else Rows if problem["loc"][0] == "rows" else Description
        known = list(owner.model_fields)
        hint = nearest(str(problem["loc"][-1]), known)
        return f"unknown key {place!r}.{hint} Known: {', '.join(known)}"
    return f"{place or 'it'}: {problem['msg']}"


def texts(given: Texts) -> list[str]:
    """One text or several, as a list."""
    return [given] if isinstance(given, str) else given
