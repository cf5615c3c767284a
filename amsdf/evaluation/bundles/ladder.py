"""Figures as they are stored against figures derived anew: identical, equivalent, or different.

identical   every figure, to its last digit
equivalent  every number within 1e-9, of its size where it is above 1
differs     some number is not; how far, and where
"""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from amsdf.scoring.score_files.labels import is_number

TOLERANCE = 1e-9
#: Scores of one detector on two machines: their processors add in another order.
BETWEEN_MACHINES = 1e-4
STEPS = ("identical", "equivalent", "differs")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")


@dataclass(frozen=True)
class DerivedFigure:
    """One figure: where it stands, what is stored there, and what is derived."""

    place: str
    stored: str
    derived: str

    @property
    def distance(self) -> float:
        """How far apart they are: 0 for the same words, infinity for other words."""
        if self.stored == self.derived:
            return 0.0
        try:
            stored, derived = float(self.stored), float(self.derived)
        except ValueError:
            return math.inf
        if math.isnan(stored) and math.isnan(derived):
            return 0.0
        return abs(stored - derived) / max(1.0, abs(derived))


@dataclass(frozen=True)
class Agreement:
    """The step of the ladder, and the figure that is farthest from what is derived."""

    step: str
    figures: int
    worst: DerivedFigure | None = None

    def __str__(self) -> str:
        if self.worst is None or self.step == "identical":
            return f"{self.step}: {self.figures} figure{'s' * (self.figures != 1)}"
        worst = self.worst
        far = f"by {worst.distance:.2g}" if math.isfinite(worst.distance) else "in words"
        stored, derived = worst.stored or "nothing", worst.derived or "nothing"
        return (
            f"{self.step}: {self.figures} figures; the farthest differs {far}, "
            f"{worst.place}: {stored} stored, {derived} derived"
        )


def agreement(figures: Sequence[DerivedFigure], tolerance: float = TOLERANCE) -> Agreement:
    """Where on the ladder some figures stand."""
    other = [figure for figure in figures if figure.stored != figure.derived]
    if not other:
        return Agreement("identical", len(figures))
    worst = max(other, key=lambda figure: figure.distance)
    return Agreement("differs" if worst.distance > tolerance else "equivalent", len(figures), worst)


def figures_of(name: str, stored: str, derived: str) -> list[DerivedFigure]:
    """The figures of two versions of one table: CSV by row and column, JSON by key, else in order.

    Rows of CSV may stand in another order.
    """
    if name.endswith(".csv"):
        return _of_cells(name, _csv_cells(stored), _csv_cells(derived))
    if name.endswith(".json"):
        return _of_cells(name, _json_cells(stored), _json_cells(derived))
    numbers = (sorted(_NUMBER.findall(text), key=float) for text in (stored, derived))
    cells = ({f"number {place}": word for place, word in enumerate(found, 1)} for found in numbers)
    return _of_cells(name, *cells)


def _of_cells(name: str, stored: dict[str, str], derived: dict[str, str]) -> list[DerivedFigure]:
    return [
        DerivedFigure(f"{name}, {place}", stored.get(place, ""), derived.get(place, ""))
        for place in {**stored, **derived}
    ]


def _csv_cells(text: str) -> dict[str, str]:
    """Row and column in words -> cell; a row is named by its words, and by its count of them."""
    header, *rows = list(csv.reader(text.splitlines())) or [[]]
    cells: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for row in rows:
        words = ", ".join(cell for cell in row if cell and not is_number(cell))
        seen[words] += 1
        again = f" ({seen[words]})" * (seen[words] > 1)
        cells |= {
            f"{words}{again}, {column}": cell for column, cell in zip(header, row, strict=False)
        }
    return cells


def _json_cells(text: str) -> dict[str, str]:
    cells: dict[str, str] = {}

    def walk(place: str, value: object) -> None:
        if isinstance(value, dict | list):
            inside = value.items() if isinstance(value, dict) else enumerate(value)
            for key, part in inside:
                walk(f"{place}.{key}" if place else str(key), part)
        else:
            cells[place] = "" if value is None else str(value)

    walk("", json.loads(text))
    return cells


def lowest(found: Iterable[Agreement]) -> str:
    """The lowest step of several."""
    return max((each.step for each in found), key=STEPS.index, default=STEPS[0])
