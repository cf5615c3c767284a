"""What a check has found: one sentence a finding, for people who did not make the corpus."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHOWN = 3
#: Verbs as they stand behind several clips, and behind one.
_VERBS = (
    *(("are", "is"), ("have", "has"), ("hold", "holds"), ("begin", "begins"), ("end", "ends")),
    *(("differ", "differs"), ("lie", "lies")),
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that one should know."""

    #: The set of clips that it is about.
    part: str
    #: A word for programs: missing, duplicate, shared-speaker …
    kind: str
    #: For people: what is so.
    text: str
    #: What it does and what to do; the same for all findings of a kind.
    advice: str
    #: Figures mean little until it is mended; otherwise it is good to know.
    serious: bool = True
    #: The clips, where it is about some of them.
    utts: tuple[str, ...] = ()


def count(number: int, word: str) -> str:
    """1 clip, 2 clips."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def some(names: Iterable[object]) -> str:
    """The first names, quoted, and how many others there are."""
    return some_of([repr(str(name)) for name in names])


def some_of(words: Sequence[str]) -> str:
    """The first words, and how many others there are."""
    rest = len(words) - _SHOWN
    shown = ", ".join(words[:_SHOWN])
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def about(number: int, what: str) -> str:
    """`3 clips are missing`: `what` begins with the verb for several clips."""
    verb, _, rest = what.partition(" ")
    verb = dict(_VERBS).get(verb, verb) if number == 1 else verb
    return f"{count(number, 'clip')} {verb} {rest}"
