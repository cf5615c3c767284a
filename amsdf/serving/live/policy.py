"""Which alarms a detector has: those of a rate of false alarms, or those with the fewest."""

from collections.abc import Sequence
from dataclasses import replace

from amsdf.detector.storage.loading import find_detector
from amsdf.scoring.judging.judge import Judge
from amsdf.serving.live.false_alarms import FILE, AlarmTable
from amsdf.serving.live.stream import LiveJudge, LiveSettings


def measured_table(judge: Judge, places: Sequence[str]) -> AlarmTable | None:
    """What lies beside the weights of a detector, which is one of those that `places` name."""
    for place in places:
        name, folder = find_detector(place)
        if name == judge.name and (folder / FILE).is_file():
            return AlarmTable.read(folder / FILE)
    return None


def with_alarms(
    judge: Judge, settings: LiveSettings, table: AlarmTable, per_hour: float | None = None
) -> tuple[LiveSettings, str]:
    """The settings with the alarms of a rate, or of the lowest one, and what is known of them."""
    table.require(LiveJudge(judge, settings))
    rate = table.lowest if per_hour is None else table.for_rate(per_hour)
    words = f"measured on speakers who did not choose this limit: {rate.checked}"
    return replace(settings, alarm=rate.limit), words


def with_known_alarms(
    judge: Judge, settings: LiveSettings, places: Sequence[str]
) -> tuple[LiveSettings, str]:
    """The same where a fitting table lies beside the weights; else no alarms, and why not."""
    try:
        table = measured_table(judge, places)
        if table is None:
            return settings, "no alarms: how often they would be false was not measured"
        return with_alarms(judge, settings, table)
    except ValueError as error:
        return settings, f"no alarms: {error}"
