"""The keys of `train` in an experiment."""

from typing import Literal, Self

from pydantic import Field, model_validator

from amsdf.config.settings import Settings


class CentreOptimizer(Settings):
    """An optimiser of its own for the centre of the loss."""

    optimizer: Literal["adam", "adamw", "sgd"] = "sgd"
    #: Without it, the rate of the network, schedule included.
    learning_rate: float | None = Field(None, gt=0)


class Training(Settings):
    """The corpora to learn from and the optimisation."""

    corpora: list[str] = Field(default_factory=list)
    epochs: int = Field(15, ge=1)
    #: Stop after so many optimiser steps, whatever the epoch.
    max_steps: int | None = Field(None, ge=1)
    batch_size: int = Field(12, ge=1)
    eval_batch_size: int = Field(64, ge=1)
    #: Batches whose gradients are added up before a step.
    accumulate: int = Field(1, ge=1)
    drop_last: bool = False
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(1e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float | None = Field(None, gt=0)
    schedule: Literal["constant", "cosine", "step", "plateau"] = "constant"
    warmup_steps: int = Field(0, ge=0)
    min_learning_rate: float = Field(0.0, ge=0)
    #: `step` multiplies the rate by `step_factor` every `step_epochs`; `plateau` uses the factor.
    step_epochs: int = Field(10, ge=1)
    step_factor: float = Field(0.5, gt=0, lt=1)
    #: `plateau` lowers the rate after so many validations in a row that are worse than the best.
    plateau_patience: int = Field(1, ge=1)
    centre: CentreOptimizer | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    #: Stop after so many validations in a row that are worse than the best; 0: never.
    patience: int = Field(0, ge=0)
    #: Epochs at the beginning that are not validated.
    skip_validation: int = Field(0, ge=0)
    #: Validate every so many steps as well as at the end of each epoch.
    validate_steps: int | None = Field(None, ge=1)
    #: Save the resumable state every so many steps as well as at the end of each epoch.
    save_steps: int | None = Field(None, ge=1)
    #: One number from several dev corpora: mean or worst of their EERs, or the EER of all together.
    select: Literal["mean", "worst", "pooled"] = "mean"
    #: Draw batches with this share of bona fide clips, of each class from all corpora equally often
    #: if `balance_corpora` says so.
    bonafide_share: float | None = Field(None, gt=0, lt=1)
    #: How many crops and augmentations of a clip there are; they come again in turn, for every seed
    #: the same. Without it, each epoch draws new ones.
    draws: int | None = Field(None, ge=1)
    #: Keep what frozen encoders give for a clip in memory (2 GiB at most): for small corpora whose
    #: clips are cut at the start and not augmented.
    remember_views: bool = False
    #: Draw from each training corpus equally often.
    balance_corpora: bool = False
    #: Batch clips of similar length (whole-utterance mode).
    bucket_lengths: bool = False
    #: Batch clips of similar length, at most so many seconds together, padding counted, and at most
    #: `batch_size` clips (whole-utterance mode).
    batch_seconds: float | None = Field(None, gt=0)
    #: Decay of an exponential moving average of the weights, which is then what is validated.
    ema: float | None = Field(None, gt=0, lt=1)
    #: Save the mean of the best k epochs' weights as the result; 1: the best alone.
    average_best: int = Field(1, ge=1)
    #: How many steps with a non-finite loss or gradient are skipped before training stops.
    nonfinite_tolerance: int = Field(0, ge=0)
    #: How many training clips may be missing or unreadable, and are left out and listed: below 1 a
    #: share of them, from 1 on a number. Training stops at one more.
    bad_clip_tolerance: int | float = Field(0.001, ge=0)

    @model_validator(mode="after")
    def _check_sampling(self) -> Self:
        by_length = "batch_seconds" if self.batch_seconds else "bucket_lengths"
        if self.bonafide_share is not None and (self.bucket_lengths or self.batch_seconds):
            raise ValueError(
                f"bonafide_share and {by_length} are both set, but batches are drawn by class or "
                "by length; leave one out"
            )
        if self.batch_seconds and self.drop_last:
            raise ValueError(
                "batch_seconds and drop_last are both set, but batches of so many seconds have "
                "unequal numbers of clips; leave one out"
            )
        if self.bonafide_share is not None and self.batch_size < 2:
            raise ValueError("bonafide_share needs a batch_size of 2 or more")
        return self
