"""What is refused before the first step, and the few clips that a run goes without."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from amsdf.config import Training
from amsdf.data.audit.shared_clips import find_files, find_shared
from amsdf.data.manifest import Manifest
from amsdf.training.clips.bad_clips import BadClips
from amsdf.training.plan import Plan
from amsdf.training.processes import gather, raise_together

#: How many clips an error names.
NAMED = 3


def check_data(plan: Plan, settings: Training, bad_clips: BadClips) -> Plan:
    """The plan without training clips whose files are missing; all processes must ask.

    Refused are sets of one class, missing dev files, and clips that training and dev share.
    """
    for manifest in (plan.train, *plan.dev):
        manifest.require_both_classes()
    if not plan.dev:
        refuse_what_needs_dev(settings)

    files = [find_files(manifest) for manifest in (plan.train, *plan.dev)]
    for manifest, table in zip(plan.dev, files[1:], strict=True):
        problem = _missing(manifest, _rows_without_file(table))
        raise_together(f"{problem}; a dev set must be complete" if problem else "")
    for manifest, table in zip(plan.dev, files[1:], strict=True):
        raise_together(_shared(plan.train, manifest, find_shared(files[0], table)))

    seen_by_each = gather([_rows_without_file(files[0])])
    missing = sorted({row for rows in seen_by_each for row in rows})
    paths = plan.train.table["path"]
    bad_clips.add(plan.train, [(row, f"{paths[row]}: no such file") for row in missing])
    bad_clips.require_tolerable(_missing(plan.train, missing))
    if not missing:
        return plan

    present = ~pl.int_range(len(plan.train), eager=True).is_in(missing)
    train = Manifest(plan.train.name, plan.train.table.filter(present))
    return replace(plan, train=train.require_both_classes())


def _rows_without_file(files: pl.DataFrame) -> list[int]:
    return files["file"].is_null().arg_true().to_list()


def _missing(manifest: Manifest, rows: Sequence[int]) -> str:
    """The files of these rows in words, '' for none."""
    if not rows:
        return ""
    paths = ", ".join(manifest.table["path"][list(rows[:NAMED])])
    more = " …" if len(rows) > NAMED else ""
    return f"{manifest.name}: {len(rows)} of {len(manifest)} recordings are missing ({paths}{more})"


def _shared(train: Manifest, dev: Manifest, pairs: pl.DataFrame) -> str:
    """The clips that training and dev share in words, '' for none."""
    if not len(pairs):
        return ""
    shown = [one if one == other else f"{one} = {other}" for one, other in pairs.rows()[:NAMED]]
    more = " …" if len(pairs) > NAMED else ""
    return (
        f"{train.name} and dev set {dev.name} share {len(pairs)} clips ({', '.join(shown)}{more}), "
        "so the dev EER would be too good; leave them out of one of the two"
    )


def refuse_what_needs_dev(settings: Training) -> None:
    """An error for each setting that would be silently without effect where no dev set is given."""
    asked = {
        "average_best": settings.average_best > 1,
        "patience": settings.patience > 0,
        "schedule: plateau": settings.schedule == "plateau",
    }
    for name in (name for name, given in asked.items() if given):
        raise ValueError(f"train.{name}: goes by the dev EER, and no dev set is given; add --dev")
