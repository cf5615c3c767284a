"""Where the weights of a view come from: a pretrained file, or a whole detector.

Of a detector, a view takes the weights of the view there that has the same encoder.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amsdf import registry
from amsdf.config import View
from amsdf.config.settings import thaw
from amsdf.contracts import Encoder
from amsdf.detector.storage.checkpoint import EXPERIMENT, read_experiment, read_weights
from amsdf.detector.storage.pretrained import find_pretrained
from amsdf.weights import load_strictly


def architecture_of(encoder: str, name: str, download: bool = True) -> Mapping[str, Any]:
    """The constructor arguments that a pretrained file decides."""
    path = find_pretrained(encoder, name, download)
    if (path / EXPERIMENT).is_file():
        return thaw(_view_with(path, encoder)[1].args)
    return registry.load("encoders", encoder).architecture_of(path)


def load_view(part: Encoder, encoder: str, path: Path) -> None:
    """Read the pretrained weights of one view: of a file, or of a detector that has such a view."""
    if not (path / EXPERIMENT).is_file():
        part.load_pretrained(path)
        return
    start = f"encoders.{_view_with(path, encoder)[0]}."
    weights = {
        key.removeprefix(start): tensor
        for key, tensor in read_weights(path).items()
        if key.startswith(start)
    }
    load_strictly(part, weights, path)


def _view_with(folder: Path, encoder: str) -> tuple[str, View]:
    """The view of a detector folder that has this encoder, and its name."""
    views = read_experiment(folder).views
    for name, view in views.items():
        if view.encoder == encoder:
            return name, view
    others = ", ".join(view.encoder for view in views.values())
    raise ValueError(f"{folder}: no view of this detector has encoder {encoder!r}; it has {others}")
