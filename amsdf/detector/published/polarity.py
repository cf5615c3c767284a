"""Which of a checkpoint's two classes is bona fide, found with labelled clips."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from pathlib import Path

import numpy as np
import torch

from amsdf.conventions import BONAFIDE, SPOOF
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings, score_rows
from amsdf.files import make_folder, write_text
from amsdf.metrics import auc

#: Scores are rounded to so many digits: the other clips in a batch change the later ones.
DIGITS = 4
#: Fewer labelled clips than this are too few to trust.
FEW_CLIPS = 6
#: So many clips of each class of a corpus are listened to.
MOST_CLIPS = 100


@dataclass(frozen=True)
class Polarity:
    """How well labelled clips are told apart when class 1 is taken as bona fide."""

    corpus: str
    num_bonafide: int
    num_spoof: int
    area: float

    @property
    def bonafide_class(self) -> int | None:
        """The class that the clips say is bona fide; None when chance could say as much."""
        if abs(self.area - 0.5) <= _chance(self.num_bonafide, self.num_spoof):
            return None
        return BONAFIDE if self.area > 0.5 else SPOOF

    @property
    def few(self) -> bool:
        """Whether these are too few clips to trust."""
        return self.num_bonafide + self.num_spoof < FEW_CLIPS

    def __str__(self) -> str:
        return (
            f"AUC on {self.corpus} ({self.num_bonafide} bona fide, {self.num_spoof} spoof): "
            f"{self.area:.3f} if class 1 is bona fide, {1 - self.area:.3f} if class 0 is"
        )


def measure_polarity(
    detector: Detector, manifest: Manifest, skip_unreadable: bool = False
) -> Polarity:
    """Score labelled clips.

    Args:
        detector: With class 1 taken as bona fide.
        manifest: Clips of both classes.
        skip_unreadable: Leave out clips that cannot be read, instead of an error.
    """
    scores: dict[int, list[float]] = {BONAFIDE: [], SPOOF: []}
    labels = manifest.table["label"].to_list()
    settings = ScoreSettings(batch_size=8, progress=False)
    for rows, values, failed in score_rows(detector, manifest, range(len(manifest)), settings):
        if failed and not skip_unreadable:
            raise ValueError(failed[0][1])
        for row, value in zip(rows, values, strict=True):
            scores[labels[row]].append(round(value, DIGITS))
    real, fake = scores[BONAFIDE], scores[SPOOF]
    area = auc(real, fake) if real and fake else 0.5
    return Polarity(manifest.name, len(real), len(fake), area)


def _chance(num_bonafide: int, num_spoof: int) -> float:
    """How far from 1/2 an AUC of meaningless scores may well be: two standard errors.

    Of few clips, a nearly perfect separation is taken as an answer.
    """
    if not num_bonafide or not num_spoof:
        return 0.5
    error = sqrt((num_bonafide + num_spoof + 1) / (12 * num_bonafide * num_spoof))
    return min(2 * error, 0.45)


@dataclass
class PolarityDecision:
    """Decides a checkpoint's polarity once, on the first labelled corpus, for all corpora.

    Never the better sign of each corpus: a detector that is inverted somewhere has to show it.
    """

    manifests: Sequence[Manifest]
    #: Where the decision is kept, so that later corpora are scored with the same one.
    kept: Path
    device: torch.device
    bonafide_class: int | None = field(default=None, init=False)
    #: What a reader of the results has to know; empty when nothing was decided.
    note: str = field(default="", init=False)

    def __call__(self, detector: Detector) -> int | None:
        """The bona fide class of a detector that takes class 1 as bona fide; None: no labels."""
        identity = detector.digest()
        found = self._read(identity)
        if found is None:
            labelled = [m for m in self.manifests if m.count(BONAFIDE) and m.count(SPOOF)]
            if not labelled:
                return None
            clips = _sample(labelled[0])
            found = measure_polarity(detector.to(self.device), clips, skip_unreadable=True)
            self._keep(identity, found)
        self.bonafide_class = found.bonafide_class
        if self.bonafide_class is None:
            raise ValueError(
                f"which class is bona fide cannot be told: {found}; "
                "name another corpus first, or give --bonafide-class 0 or 1"
            )
        self.note = f"class {self.bonafide_class} is bona fide, on every corpus: {found}"
        return self.bonafide_class

    def _read(self, identity: str) -> Polarity | None:
        if not self.kept.is_file():
            return None
        about = json.loads(self.kept.read_text("utf-8"))
        return Polarity(**about["polarity"]) if about["detector_hash"] == identity else None

    def _keep(self, identity: str, found: Polarity) -> None:
        if found.bonafide_class is not None:
            make_folder(self.kept.parent)
            about = {"detector_hash": identity, "polarity": asdict(found)}
            write_text(self.kept, json.dumps(about, indent=2) + "\n")


def _sample(manifest: Manifest) -> Manifest:
    """At most `MOST_CLIPS` of each class, always the same ones."""
    labels = manifest.table["label"].fill_null(-1).to_numpy()
    generator = np.random.default_rng(0)
    rows = [
        generator.permutation(np.flatnonzero(labels == label))[:MOST_CLIPS]
        for label in (BONAFIDE, SPOOF)
    ]
    return Manifest(manifest.name, manifest.table[np.sort(np.concatenate(rows)).tolist()])
