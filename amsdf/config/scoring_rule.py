"""The keys of `score` in an experiment: how a whole recording becomes one score."""

from typing import Literal

from pydantic import Field

from amsdf.config.settings import Settings


class ScoringRule(Settings):
    """Which parts of a recording are listened to, and how their scores become one.

    A detector of whole utterances (`clip.samples: null`) has one part: the recording.
    """

    #: `first`: one clip, where `clip.eval_crop` says, as most systems are published; `windows`:
    #: clips all over the recording.
    parts: Literal["first", "windows"] = "first"
    #: From one window to the next, as a share of a window.
    hop: float = Field(0.5, gt=0, le=1)
    #: One score from those of the windows: their mean, or a low quantile, so that a short splice
    #: is not averaged away.
    pool: Literal["mean", "quantile"] = "mean"
    quantile: float = Field(0.25, ge=0, le=1)
