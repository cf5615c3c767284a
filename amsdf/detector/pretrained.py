"""Where pretrained files are: a path, `$AMSDF_PRETRAINED`, or the folder `pretrained_models/`.

A view may also start from a whole detector: it takes the weights of the view there that has the
same encoder.
"""

import os
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from amsdf import registry
from amsdf.config import View
from amsdf.config.settings import thaw
from amsdf.contracts import Encoder
from amsdf.detector.checkpoint import EXPERIMENT, read_experiment, read_weights
from amsdf.weights import load_strictly

HERE = Path(__file__).parents[2] / "pretrained_models"


def pretrained_folders() -> list[Path]:
    """The folders looked through, first match wins."""
    own = os.environ.get("AMSDF_PRETRAINED")
    return [*([Path(own)] if own else []), Path("pretrained_models"), HERE]


def first_existing(*names: str) -> Path | None:
    """The first file or folder of one of these names, or None."""
    places = [Path(name).expanduser() for name in names]
    places += [folder / name for folder in pretrained_folders() for name in names]
    return next((path for path in places if path.exists()), None)


def find_pretrained(encoder: str, name: str, download: bool = True) -> Path:
    """The file or folder called `name`, or the weights that `encoder` can download by this name."""
    kind = registry.load("encoders", encoder)
    url = kind.published_url(name)
    found = first_existing(name, *([_file_of(url)] if url else []))
    if found is None and url and download:
        return _downloaded(kind, name, url)
    if found is None:
        raise ValueError(
            f"pretrained file {name!r} is not here; put it into pretrained_models/ or a folder "
            "named by $AMSDF_PRETRAINED (pretrained_models/README.md says where it comes from), or "
            "drop it with --set views.NAME.pretrained=null"
        )
    return found


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


def _file_of(url: str) -> str:
    return url.rpartition("/")[2]


def _downloaded(kind: Any, name: str, url: str) -> Path:
    try:
        return kind.download(url)
    except (OSError, RuntimeError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ValueError(
            f"pretrained {name!r} is not here and cannot be downloaded ({reason}): put "
            f"{_file_of(url)} from {url} into pretrained_models/ or a folder named by "
            "$AMSDF_PRETRAINED"
        ) from None


def architecture_of(encoder: str, name: str, download: bool = True) -> Mapping[str, Any]:
    """The constructor arguments that a pretrained file decides."""
    path = find_pretrained(encoder, name, download)
    if (path / EXPERIMENT).is_file():
        return thaw(_view_with(path, encoder)[1].args)
    return registry.load("encoders", encoder).architecture_of(path)
