"""A published file to a detector: read safely, recognised by its names, loaded strictly."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from amsdf import registry
from amsdf.config import Experiment
from amsdf.contracts import BONAFIDE
from amsdf.detector.detector import Detector
from amsdf.detector.published.families import FAMILIES
from amsdf.detector.published.family import Family
from amsdf.weights import load_strictly, read_state_dict


def load(
    path: Path,
    bonafide_class: int | None = None,
    ssl: Path | None = None,
    decide: Callable[[Detector], int | None] | None = None,
) -> Detector:
    """Open a published checkpoint, in evaluation mode.

    Args:
        path: A state dict as AMSDF, AASIST, AASIST-L, SSL_Anti-spoofing, EBM or the AASIST baseline
            of ASVspoof 5 publish it.
        bonafide_class: Which of its two classes is bona fide; 1 for all but AMSDF, whose authors
            contradict themselves, so that it must be given.
        ssl: Speech model (fairseq file or Hugging Face folder) of a checkpoint that comes without.
        decide: Asked where neither `bonafide_class` nor the authors say: the detector with class 1
            taken as bona fide -> the bona fide class, or None if that cannot be told.
    """
    family, state = _read_state(Path(path))
    asked = decide if (bonafide_class, family.bonafide_class) == (None, None) else None
    chosen = None if asked else bonafide_class_of(family, bonafide_class, path)
    detector = _open(family, state, Path(path), ssl)
    if asked:
        chosen = bonafide_class_of(family, asked(detector), path)
    if chosen != BONAFIDE:
        swap_classes(detector)
    return detector


def read(path: Path, ssl: Path | None = None) -> tuple[Family, Detector]:
    """The family of a published file, and the detector with class 1 taken as bona fide."""
    family, state = _read_state(path)
    return family, _open(family, state, path, ssl)


def bonafide_class_of(family: Family, given: int | None, path: Path) -> int:
    """The class that is bona fide: the given one, or what the family's authors say."""
    if given not in (None, 0, 1):
        raise ValueError(f"{path}: bonafide_class is {given!r}; it must be 0 or 1")
    chosen = family.bonafide_class if given is None else given
    if chosen is None:
        raise ValueError(
            f"{path}: text and code of {family.name} contradict each other on which class is bona "
            "fide; give --bonafide-class 0 or 1, or let `import --verify MANIFEST` find out with "
            "known clips"
        )
    return chosen


@torch.no_grad()
def swap_classes(detector: Detector) -> None:
    """Take the other class as bona fide: all scores change their sign."""
    for name, parameter in detector.loss.named_parameters():
        parameter.copy_(-parameter if name.endswith("centre") else parameter.flip(0))


def _read_state(path: Path) -> tuple[Family, dict[str, Tensor]]:
    state = read_state_dict(path)
    for family in FAMILIES:
        if any(key.startswith(family.mark) for key in state):
            return family, state
    raise ValueError(
        f"{path}: is not one of {', '.join(family.name for family in FAMILIES)} (AASIST-L and the "
        "AASIST baseline of ASVspoof 5 included); its first weights are "
        f"{', '.join(list(state)[:5]) or 'none'}"
    )


def _open(family: Family, state: dict[str, Tensor], path: Path, ssl: Path | None) -> Detector:
    if ssl is not None and not family.speech:
        raise ValueError(f"{path}: {family.name} has no speech model; leave out --ssl {ssl}")
    encoder = registry.load("encoders", "xlsr")
    # All these systems feed waveforms as they are, whatever their speech model was trained on.
    speech = None if ssl is None else {**encoder.architecture_of(ssl), "normalize": False}
    try:
        description, weights = family.translate(state, speech)
    except ValueError as error:
        raise ValueError(f"{path}: {family.name}: {error}") from None
    with torch.random.fork_rng(devices=[]):
        detector = Detector.build(Experiment.parse({"name": path.stem, **description}))
    if ssl is not None and not any(key.startswith("encoders.text.") for key in weights):
        detector.encoder("text").load_pretrained(ssl)
        own = detector.encoder("text").state_dict()
        weights |= {f"encoders.text.{key}": tensor for key, tensor in own.items()}
    load_strictly(detector, weights, f"{path}: {family.name}", family.published_name)
    return detector.eval()
