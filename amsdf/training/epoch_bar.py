"""The progress bar of an epoch: its batches, the mean loss so far, and the dev EER."""

from math import isfinite
from typing import Any, Self

from tqdm import tqdm

from amsdf.training.runs.run_folder import Progress


class EpochBar:
    """Counts the batches of one epoch, from those that a resumed run has behind it.

    Args:
        progress: What is shown; the trainer changes it.
        epochs: Of the whole training.
        batches: Of the epoch.
        shown: Whether there is a bar at all.
    """

    def __init__(self, progress: Progress, epochs: int, batches: int, shown: bool):
        self.progress = progress
        self.dev_eer: float | None = None
        self.waiting = ""
        self.bar: Any = tqdm(
            desc=f"epoch {progress.epoch + 1}/{epochs}",
            initial=progress.batch,
            total=batches,
            unit="batch",
            disable=not shown,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()  # the line stays as it is

    def advance(self, batches: int) -> None:
        """So many batches more are done."""
        self._show(refresh=False)
        self.bar.update(batches)

    def ended(self, waiting: str) -> None:
        """All batches are done; `waiting` says how long they were waited for."""
        self.waiting = waiting
        self._show(refresh=True)

    def validated(self, eer: float) -> None:
        """The dev EER of now."""
        self.dev_eer = eer
        self._show(refresh=True)

    def _show(self, refresh: bool) -> None:
        parts = []
        if self.progress.mean_loss is not None:
            parts.append(f"loss {self.progress.mean_loss:.4f}")
        if self.dev_eer is not None:
            parts.append(f"dev EER {100 * self.dev_eer:.2f} %")
        if isfinite(self.progress.best_eer):
            parts.append(f"best {100 * self.progress.best_eer:.2f} %")
        if self.waiting:
            parts.append(self.waiting)
        self.bar.set_postfix_str(", ".join(parts), refresh=refresh)
