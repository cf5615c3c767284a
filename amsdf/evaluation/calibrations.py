"""The calibration of each detector in an evaluation: its own, or one fitted on corpora for that."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.storage.hub import is_hub_id
from amsdf.detector.storage.loading import find_detector
from amsdf.files import write_text
from amsdf.scoring.calibration.calibration import FILE, Calibration, read_calibration
from amsdf.scoring.calibration.fits import calibrate
from amsdf.scoring.calibration.thresholds import FAR_RATES, least_fakes, too_few_fakes
from amsdf.scoring.score_files.table import Scores
from amsdf.scoring.training_data import SEEN, KnownCorpora, KnownCorpus, find_overlap
from amsdf.weights import digest_of_tensors


def refuse_threshold(path: str | Path, which: str | None, calibrate_on: Sequence[Manifest]) -> None:
    """Refuse, before the work, a threshold that the calibration will not have.

    A calibration of the detector that cannot be read is an error too, if it is the one to be used.
    """
    if not calibrate_on:
        calibration = read_calibration(find_detector(path)[1])
        if calibration is not None and which:
            calibration.threshold(which)
        return
    fakes = sum(manifest.require_both_classes().count(0) for manifest in calibrate_on)
    if which in FAR_RATES and fakes < least_fakes(FAR_RATES[which]):
        raise ValueError(too_few_fakes(which, fakes))


def refuse_other_weights(place: Path, detector: Detector) -> None:
    """Refuse a calibration in the detector's folder that is of other weights."""
    calibration = read_calibration(place)
    if calibration is not None:
        calibration.require_weights(place, digest_of_tensors(detector.state_dict()))


def refuse_storing(path: str | Path) -> None:
    """Refuse, before the work, to keep a calibration with what is no folder here."""
    if is_hub_id(str(path)):
        raise ValueError(
            f"--store-calibration: {path} is on the hub; make a folder of it, with "
            "`Detector.from_pretrained(…).save_pretrained(FOLDER)`"
        )
    if not find_detector(path)[1].is_dir():
        raise ValueError(
            f"--store-calibration: {path} is a file; import it first, to have a folder"
        )


def fit_calibration(how: str, tables: Sequence[Scores], sharing: Sequence[Manifest]) -> Calibration:
    """Fitted on scores of one detector; `sharing` are other sets with the same clips in them.

    These count as what it was fitted on: a threshold chosen on their clips is not new to them.
    """
    calibration = calibrate(how, tables)
    others = {manifest.name: manifest.digest for manifest in sharing}
    return replace(calibration, manifests={**others, **calibration.manifests})


def with_clips_of(
    calibrate_on: Sequence[Manifest], manifests: Sequence[Manifest]
) -> list[Manifest]:
    """Those of `manifests` that have clips of `calibrate_on` in them."""
    if not calibrate_on:
        return []
    known = KnownCorpora(dev=tuple(KnownCorpus.of(manifest) for manifest in calibrate_on))
    return [found for found in manifests if find_overlap(known, found).mark == SEEN]


def keep_beside_scores(folder: Path, calibration: Calibration | None) -> None:
    """The calibration that was used, or none, beside the score files of a detector.

    Tables made again from the score files have the same figures then.
    """
    if calibration is None:
        (folder / FILE).unlink(missing_ok=True)
    elif folder.is_dir():
        write_text(folder / FILE, calibration.to_json())
