"""What a model card says about probabilities: dev figures, calibration, operating point."""

from amsdf.detector.card import model_card
from amsdf.detector.detector import Detector
from amsdf.scoring.calibration.calibration import Calibration
from amsdf.scoring.calibration.thresholds import FAR_RATES


def judge_card(
    named: tuple[str, Detector],
    calibration: Calibration | None,
    sections: tuple[str, ...] = (),
    licence: str = "other",
) -> str:
    """The card of a detector with its calibration; `sections` are put behind it."""
    name, detector = named
    return model_card(name, detector, (calibration_section(calibration), *sections), licence)


def calibration_section(calibration: Calibration | None) -> str:
    """A section `## On development recordings`, in Markdown."""
    title = "## On development recordings\n\n"
    if calibration is None:
        return f"{title}It is not calibrated: its score only ranks, and it decides nothing.\n"
    found = []
    if dev := calibration.dev:
        found.append(
            f"{dev.num_bonafide} real and {dev.num_spoof} fake clips of "
            f"{', '.join(dev.corpora) or 'its dev sets'}: equal error rate {100 * dev.eer:.1f} % "
            f"(95 % interval {100 * dev.eer_low:.1f} to {100 * dev.eer_high:.1f}). The calibration "
            "is fitted on the same clips, so other recordings may be judged worse."
        )
    point = calibration.point(None)
    found.append(
        f"Operating point `{point.name}`: fake where the probability that the speech is real is at "
        f"most {point.fake_below:.3f}, real from {point.real_above:.3f} on; between, the answer is "
        f"“cannot tell”. Calibration: {calibration.method}, for a share of real recordings of "
        f"{calibration.prior:g}."
    )
    rows = [f"| `{name}` | {score:.4f} |" for name, score in calibration.thresholds.items()]
    if rows:
        found.append("\n".join(["| threshold | score |", "|---|---|", *rows]))
    if (promise := calibration.promise) and any(
        name in FAR_RATES for name in calibration.thresholds
    ):
        found.append(
            f"At a threshold `far-…`, at most that share of fakes passes, with a confidence of "
            f"{100 * promise.confidence:g} %: of fakes like the {promise.num_spoof} that it comes "
            "from, not of others."
        )
    return title + "\n\n".join(found) + "\n"
