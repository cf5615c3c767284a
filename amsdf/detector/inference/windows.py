"""The parts of a recording as tensors, and their scores to one.

Which parts there are is in the experiment: `clip` and `score`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from amsdf.audio.cropping import MIN_SAMPLES
from amsdf.config import Experiment, ScoringRule
from amsdf.detector.inference.cutting import QUIET, first_sample, step_of


def refuse_what_nobody_can_judge(clips: Tensor) -> None:
    """An error for waveforms (B, S) that are empty, silent or not finite."""
    if clips.dim() != 2 or not clips.numel():
        raise ValueError(f"waveforms have shape {tuple(clips.shape)}; give (B, S) or (S,)")
    if not clips.is_floating_point():
        raise ValueError(f"waveforms are {clips.dtype}; give floats in [-1, 1]")
    for clip, samples in enumerate(clips):
        if not samples.isfinite().all():
            raise ValueError(f"waveform {clip} has samples that are NaN or infinite")
        if not samples.any():
            raise ValueError(f"waveform {clip} is digital silence; there is nothing to judge")


def part_starts(length: int, experiment: Experiment) -> list[int]:
    """The first samples of the parts of a recording of `length` samples."""
    clip, rule = experiment.clip, experiment.score
    if clip.samples is None or rule.parts == "first":
        return [first_sample(length, clip)]
    last = max(0, length - clip.samples)
    return [*range(0, last, step_of(clip, rule)), last]


def parts_of(waveform: Tensor, experiment: Experiment) -> tuple[Tensor, Tensor]:
    """`cut` for a whole waveform (S,) that may keep a graph -> parts (W, S'), their power (W,)."""
    clip = experiment.clip
    samples = clip.samples or max(len(waveform), MIN_SAMPLES)
    starts = part_starts(len(waveform), experiment)
    sounds = [waveform[start : start + samples] for start in starts]
    power = torch.stack([sound.detach().double().square().mean() for sound in sounds])
    missing = samples - len(waveform)
    if missing > 0:
        waveform = (
            F.pad(waveform, (0, missing))
            if clip.short == "zero"
            else waveform.repeat(-(-samples // len(waveform)))[:samples]
        )
    return torch.stack([waveform[start : start + samples] for start in starts]), power


def pool(scores: Tensor, power: Tensor, rule: ScoringRule) -> Tensor:
    """Scores (W,) of parts with their power (W,) -> the score () of the recording."""
    counted = scores[~is_quiet(power)]
    return counted.mean() if rule.pool == "mean" else counted.quantile(rule.quantile)


def is_quiet(power: Tensor) -> Tensor:
    """(W,) -> whether each part is so much quieter than the loudest that it does not count."""
    return power < QUIET * power.max()


def describe_rule(experiment: Experiment) -> str:
    """What is listened to and how it becomes a score, in words: scores of two rules differ."""
    clip, rule = experiment.clip, experiment.score
    if clip.samples is None:
        return "whole utterances"
    heard = f"{clip.samples} samples, short: {clip.short}"
    if clip.band_hz:
        heard += f", {clip.band_hz[0]:g} to {clip.band_hz[1]:g} Hz"
    if clip.level_db is not None:
        heard += f", {clip.level_db:g} dB"
    if rule.parts == "first":
        return f"{heard}, crop: {clip.eval_crop}"
    pooled = rule.pool if rule.pool == "mean" else f"quantile {rule.quantile:g}"
    return f"windows of {heard}, hop: {rule.hop:g}, pool: {pooled}"
