"""Where pretrained files are: a path, `$AMSDF_PRETRAINED`, or the folder `pretrained_models/`."""

import os
from http.client import HTTPException
from pathlib import Path
from typing import Any

from amsdf import registry

HERE = Path(__file__).parents[3] / "pretrained_models"


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
