"""The model card of a detector: `README.md` in the form that the Hugging Face hub reads."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from amsdf.config import Experiment
from amsdf.config.settings import thaw
from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.inference.windows import describe_rule

if TYPE_CHECKING:
    from amsdf.detector.detector import Detector

_TAGS = ("audio-deepfake-detection", "anti-spoofing", "speech", "amsdf")
_LIMITS = """\
**A research tool; not evidence.** Its answer is an estimate and can be wrong for any recording.

- It knows the voices, languages, recording conditions and ways of faking of its training corpora.
  Detectors do worse on others, often much worse, and new ways of faking come every month.
- Figures are of whole corpora. They say nothing certain about one recording.
- It listens to sound alone. It neither knows the speaker nor understands what is said.
- Do not decide about people by it: ask the speaker, look for the source, get a second opinion.
"""


def model_card(
    name: str, detector: "Detector", sections: Iterable[str] = (), licence: str = "other"
) -> str:
    """The card as Markdown.

    Args:
        name: What the detector is called: a folder, or a hub id.
        detector: Its experiment and its weights are described.
        sections: More of them, `## …`: figures, calibration.
        licence: By its short name on the hub, such as `mit`.
    """
    experiment = detector.experiment
    parts = [
        _front_matter(licence),
        f"# {name.rpartition('/')[2]}\n\nA detector of machine-made speech, made with AMSDF, the "
        "Audio Multi-view Spoofing Detection Framework. It gives a recording a score: higher means "
        "that the speech in it is more probably real (bona fide). A research tool; not evidence.\n",
        _usage(name),
        f"## What it is\n\n{_facts(detector)}",
        f"## Trained on\n\n{_corpora(experiment)}",
        *sections,
        f"## Limits\n\n{_LIMITS}",
        _recipe(experiment),
    ]
    return "\n".join(parts)


def _front_matter(licence: str) -> str:
    tags = "\n".join(f"- {tag}" for tag in _TAGS)
    return (
        f"---\nlicense: {licence}\nlibrary_name: amsdf\npipeline_tag: audio-classification\n"
        f"tags:\n{tags}\n---\n"
    )


def _usage(name: str) -> str:
    return (
        f"## How to use\n\n```bash\namsdf score call.m4a --detector {name}\n```\n\n"
        f'```python\nimport amsdf\n\nverdict = amsdf.load("{name}")("call.m4a")\nprint(verdict)\n'
        "```\n"
    )


def _facts(detector: "Detector") -> str:
    experiment = detector.experiment
    rows = [
        (f"view `{view}`", _words(part.encoder, part.args, part.pretrained, part.freeze))
        for view, part in experiment.views.items()
    ]
    rows.append(("head", _words(experiment.head.name, experiment.head.args)))
    rows.append(("loss", _words(experiment.loss.name, experiment.loss.args)))
    rows.append(("listens to", f"{describe_rule(experiment)}; {SAMPLE_RATE} Hz, mono"))
    rows.append(("parameters", f"{sum(each.numel() for each in detector.parameters()):,}"))
    rows.append(("digest of the weights", f"`{detector.digest()}`"))
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {text} |" for key, text in rows)]) + "\n"


def _words(
    name: str, arguments: object, pretrained: str | None = None, is_frozen: bool = False
) -> str:
    """A part in one line."""
    given = thaw(arguments)
    assert isinstance(given, dict)
    shown = ", ".join(f"{key} {value}" for key, value in given.items())
    found = [f"`{name}`" + f" ({shown})" * bool(shown)]
    found += [f"pretrained: {pretrained}"] * bool(pretrained)
    found += ["frozen"] * is_frozen
    return ", ".join(found).replace("|", "\\|")


def _corpora(experiment: Experiment) -> str:
    trained = ", ".join(experiment.train.corpora) or "corpora that its experiment does not name"
    dev = ", ".join(experiment.dev) or "corpora that its experiment does not name"
    augmented = ", ".join(part.name for part in experiment.augment) or "nothing"
    return f"{trained}.\n\nChosen on {dev}. Augmented with {augmented}. Seed {experiment.seed}.\n"


def _recipe(experiment: Experiment) -> str:
    train = experiment.train
    rate = f"{train.learning_rate:g} ({train.schedule})"
    return (
        f"## How it was trained\n\n{train.epochs} epochs at most, batches of {train.batch_size}, "
        f"optimizer {train.optimizer}, learning rate {rate}. "
        "`experiment.yaml` in this folder has all settings:\n\n"
        "```bash\namsdf train --config experiment.yaml\n```\n"
    )
