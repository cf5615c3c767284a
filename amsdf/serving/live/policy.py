"""Which alarms a detector has: asked for by rate, by threshold, or those that were measured."""

from collections.abc import Sequence
from dataclasses import replace

from amsdf.detector.storage.loading import find_detector
from amsdf.scoring.judging.judge import Judge
from amsdf.serving.live.alarm import AlarmPolicy
from amsdf.serving.live.false_alarms import AlarmTable
from amsdf.serving.live.stream import LiveJudge, LiveSettings


def table_of(judge: Judge, places: Sequence[str]) -> AlarmTable | None:
    """What was measured of a detector, which is one of those that `places` name."""
    if judge.calibration is None:
        return None
    for place in places:
        name, folder = find_detector(place)
        if name == judge.name:
            return AlarmTable.read(folder, judge.calibration.weights)
    return None


def with_alarms(
    judge: Judge, settings: LiveSettings, table: AlarmTable | None, per_hour: float | None = None
) -> tuple[LiveSettings, str]:
    """The settings with the alarms of a rate, or of the lowest one, and what is known of them."""
    if table is None:
        if per_hour is not None:
            raise ValueError(
                f"no false alarms were measured for {judge.name!r}; give a threshold, a chance of "
                "real speech such as 0.05"
            )
        return settings, "no alarms: how often they would be false was not measured"
    try:
        table.require_settings(settings, LiveJudge(judge, settings).hop_seconds)
    except ValueError:
        if per_hour is not None:
            raise
        return settings, "no alarms: they were measured with other times"
    rate = table.lowest if per_hour is None else table.for_rate(per_hour)
    policy = table.policy(rate)
    words = f"{in_words(policy)}; on speech that it was not chosen with {rate.checked}"
    return replace(settings, alarm=policy), words


def in_words(policy: AlarmPolicy) -> str:
    """When there is an alarm."""
    return (
        f"alarm where the chance of real speech is at most {policy.threshold:.3g} for "
        f"{policy.hold:g} s"
    )
