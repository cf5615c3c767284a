"""Published files to a detector: read safely, recognised by their names, loaded strictly."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from amsdf.config import Experiment
from amsdf.contracts import BONAFIDE
from amsdf.detector.detector import Detector
from amsdf.detector.published.families import FAMILIES
from amsdf.detector.published.family import Family
from amsdf.weights import load_strictly, read_state_dict


def load(
    path: str | Path | Sequence[Path],
    bonafide_class: int | None = None,
    ssl: Path | None = None,
    decide: Callable[[Detector], int | None] | None = None,
) -> Detector:
    """Open a published checkpoint, in evaluation mode.

    Args:
        path: A state dict as one of `FAMILIES` is published; several files of a system that has
            several.
        bonafide_class: Which of its two classes is bona fide; as published, without it. AMSDF's
            authors contradict themselves, so that it must be given.
        ssl: Speech model (fairseq file or Hugging Face folder) of a checkpoint that comes without.
        decide: Asked where neither `bonafide_class` nor the authors say: the detector with class 1
            taken as bona fide -> the bona fide class, or None if that cannot be told.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else list(path)
    family, state = _read_states(paths)
    asked = decide if (bonafide_class, family.bonafide_class) == (None, None) else None
    chosen = None if asked else bonafide_class_of(family, bonafide_class, paths[0])
    detector = _open(family, state, paths, ssl)
    if asked:
        chosen = bonafide_class_of(family, asked(detector), paths[0])
    if chosen != BONAFIDE:
        detector.loss.swap_classes()
    return detector


def read(paths: Sequence[Path], ssl: Path | None = None) -> tuple[Family, Detector]:
    """The family of published files, and the detector with class 1 taken as bona fide."""
    family, state = _read_states(paths)
    return family, _open(family, state, paths, ssl)


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


def _read_states(paths: Sequence[Path]) -> tuple[Family, dict[str, Tensor]]:
    """The family of some files, and the weights of all of them under their published names."""
    states = {path: read_state_dict(path) for path in paths}
    names = [name for state in states.values() for name in state]
    family = next((family for family in FAMILIES if family.recognises(names)), None)
    if family is None:
        known = ", ".join(family.name for family in FAMILIES)
        raise ValueError(
            f"{paths[0]}: is not one of {known} (AASIST-L and the AASIST baseline of ASVspoof 5 "
            f"included); its first weights are {', '.join(names[:5]) or 'none'}"
        )
    if family.companion and paths[0].with_name(family.companion).exists():
        raise ValueError(
            f"{paths[0]}: {family.companion} is beside it, and with that its own classifier was "
            "not trained; `import` both files together"
        )
    return family, family.gather(states)


def _open(
    family: Family, published: dict[str, Tensor], paths: Sequence[Path], ssl: Path | None
) -> Detector:
    source = f"{paths[0]}: {family.name}"
    view = family.ssl_view
    if ssl is not None and view is None:
        raise ValueError(f"{source} has no speech model; leave out --ssl {ssl}")
    given = None if ssl is None else family.ssl_encoder.architecture_of(ssl)
    try:
        description, weights = family.translate(published, given)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None

    name = paths[0].stem if len(paths) == 1 else paths[0].absolute().parent.name
    with torch.random.fork_rng(devices=[]):
        detector = Detector.build(Experiment.parse({"name": name, **description}))
    if ssl is not None and view and not any(key.startswith(f"encoders.{view}.") for key in weights):
        detector.encoder(view).load_pretrained(ssl)
        own = detector.encoder(view).state_dict()
        weights |= {f"encoders.{view}.{key}": tensor for key, tensor in own.items()}
    try:
        load_strictly(detector, weights, source, family.published_name)
    except ValueError as error:
        raise ValueError(f"{error}{_about_ssl(detector, ssl, view)}") from None
    return detector.eval()


def _about_ssl(detector: Detector, ssl: Path | None, view: str | None) -> str:
    """What a given speech model gives, if weights do not fit."""
    if ssl is None or view is None:
        return ""
    encoder = detector.encoder(view)
    return (
        f" --ssl gives {encoder.layers or 1} hidden states of width {encoder.dim}; it must be the "
        "model that the detector was trained on"
    )
