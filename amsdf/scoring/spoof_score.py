"""`SpeechSpoofScore`: how real synthetic speech sounds to a detector, as a torchmetrics metric."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from amsdf.scoring.judging.judge import Judge, load


class SpeechSpoofScore:
    """Mean probability that speech is real, over all clips so far; higher is better for a TTS.

    It has the methods of a `torchmetrics.Metric`, and needs no torchmetrics. A detector without a
    calibration gives its mean score. The figure compares systems that are measured with the same
    detector; a TTS that is trained against a detector learns to deceive that detector alone.

    Args:
        detector: What `amsdf.load` takes, or a judge.
        sampling_rate: Of the clips.

    Example:
        >>> import torch
        >>> metric = SpeechSpoofScore("runs/mine", sampling_rate=24_000)
        >>> metric.update(0.1 * torch.randn(2, 48_000))
        >>> 0 <= metric.compute() <= 1
        tensor(True)
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    def __init__(self, detector: str | Path | Judge = "starter", sampling_rate: int = 16_000):
        self.judge = detector if isinstance(detector, Judge) else load(detector)
        self.sampling_rate = sampling_rate
        self.reset()

    def reset(self) -> None:
        """Forget all clips."""
        self.total = torch.zeros((), dtype=torch.float64)
        self.count = torch.zeros((), dtype=torch.int64)

    def update(self, clips: Tensor, lengths: Tensor | None = None) -> None:
        """Add clips.

        Args:
            clips: Samples (S,) or (B, S).
            lengths: How many samples of each clip are real, where they are padded: (B,).
        """
        self.forward(clips, lengths)

    def compute(self) -> Tensor:
        """The mean over all clips: a scalar."""
        if not self.count:
            raise ValueError("no clips yet: call update first")
        return (self.total / self.count).float()

    def forward(self, clips: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Add clips, and give the mean of these alone."""
        values = self._values(clips, lengths)
        self.total += values.sum()
        self.count += len(values)
        return values.mean().float()

    __call__ = forward

    def merge_state(self, others: Iterable["SpeechSpoofScore"]) -> None:
        """Add the clips of others, for instance those of other processes."""
        for other in others:
            self.total += other.total
            self.count += other.count

    def _values(self, clips: Tensor, lengths: Tensor | None) -> Tensor:
        """Clips (B, S) -> their probabilities or scores (B,)."""
        clips = torch.atleast_2d(clips.detach())
        ends = [clips.shape[1]] * len(clips) if lengths is None else lengths.tolist()
        if len(ends) != len(clips):
            raise ValueError(f"{len(clips)} clips have {len(ends)} lengths; give one a clip")
        verdicts = [
            self.judge(clip[:end], self.sampling_rate)
            for clip, end in zip(clips, ends, strict=True)
        ]
        values = [each.score if each.probability is None else each.probability for each in verdicts]
        return torch.tensor(values, dtype=torch.float64)
