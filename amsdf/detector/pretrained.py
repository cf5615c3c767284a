"""Where pretrained files lie: a path, `$AMSDF_PRETRAINED`, or the folder `pretrained_models/`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amsdf import registry

HERE = Path(__file__).parents[2] / "pretrained_models"


def folders() -> list[Path]:
    """The folders looked through, first match wins."""
    own = os.environ.get("AMSDF_PRETRAINED")
    return [*([Path(own)] if own else []), Path("pretrained_models"), HERE]


def first_place(name: str) -> Path | None:
    """The first file or folder called `name`, or None."""
    places = (Path(name).expanduser(), *(folder / name for folder in folders()))
    return next((path for path in places if path.exists()), None)


def find_pretrained(name: str) -> Path:
    """The file or folder called `name`."""
    if found := first_place(name):
        return found
    raise ValueError(
        f"pretrained file {name!r} is not here; put it into pretrained_models/ or a folder named "
        "by $AMSDF_PRETRAINED (pretrained_models/README.md says where it comes from), or drop it "
        "with --set views.NAME.pretrained=null"
    )


def architecture_of(encoder: str, name: str) -> Mapping[str, Any]:
    """The constructor arguments that a pretrained file decides."""
    return registry.load("encoders", encoder).architecture_of(find_pretrained(name))
