"""Views as files, one a clip and encoder: `views/<encoder>/<2 digits>/<key>.safetensors`.

A file appears whole, under its name, or not at all: any number of processes may write, and a kill
at any point loses only what was being made. Reading maps the file.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from amsdf.files import write_atomically, write_text

ABOUT = "about.json"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_SUFFIX = ".safetensors"
#: A file that is being written is left alone for so long.
_WRITING_SECONDS = 3600


@dataclass(frozen=True)
class Kept:
    """A view (N, D) or (L, N, D) and what is known of it, in words."""

    view: Tensor
    about: Mapping[str, str]


class ViewStore:
    """The files of a cache folder."""

    def __init__(self, folder: Path):
        self.folder = folder / "views"

    def path_of(self, encoder: str, key: str) -> Path:
        """Where a view is."""
        return self.folder / encoder / key[:2] / f"{key}{_SUFFIX}"

    def read(self, encoder: str, key: str) -> Kept | None:
        """What is kept under a key, in the number format that the encoder gave; None if nothing.

        A damaged file is nothing.
        """
        try:
            with safe_open(self.path_of(encoder, key), "pt") as file:
                about = file.metadata()
                view = file.get_tensor("view")
        except (OSError, SafetensorError):
            return None
        return Kept(view.to(getattr(torch, about["given"])), about)

    def about(self, encoder: str, key: str) -> Mapping[str, str] | None:
        """What is known of a view; it counts as used from now on."""
        path = self.path_of(encoder, key)
        try:
            with safe_open(path, "pt") as file:
                found: Mapping[str, str] = file.metadata()
        except (OSError, SafetensorError):
            return None
        with suppress(OSError):  # a folder to read only: nothing is pruned there
            os.utime(path)
        return found

    def write(self, encoder: str, key: str, kept: Kept, stored: str) -> None:
        """Keep a view in the number format `stored`, with the error of that."""
        view = kept.view.detach().cpu()
        packed = view.to(DTYPES[stored]).contiguous()
        about = {
            **kept.about,
            "given": str(view.dtype).removeprefix("torch."),
            "error": f"{_error(view, packed):.3g}",
        }
        path = self.path_of(encoder, key)
        write_atomically(path, lambda temporary: save_file({"view": packed}, temporary, about))

    def describe(self, encoder: str, about: Mapping[str, object]) -> None:
        """Say beside the views of an encoder what it is; the first word stays."""
        place = self.folder / encoder / ABOUT
        if not place.is_file():
            write_text(place, json.dumps(about, indent=1) + "\n")

    def encoders(self) -> list[str]:
        """The folder names of all encoders."""
        return sorted(place.parent.name for place in self.folder.glob(f"*/{ABOUT}"))

    def described(self, encoder: str) -> dict[str, Any]:
        """What `describe` wrote."""
        found: dict[str, Any] = json.loads((self.folder / encoder / ABOUT).read_text("utf-8"))
        return found

    def files(self, encoder: str) -> Iterator[Path]:
        """The files of an encoder's views; those that are being written are left out."""
        return (
            path
            for path in (self.folder / encoder).glob(f"??/*{_SUFFIX}")
            if not path.name.startswith(".")
        )

    def sweep(self) -> None:
        """Remove what killed processes have left behind."""
        for path in self.folder.glob(f"*/??/.*{_SUFFIX}"):
            if time.time() - path.stat().st_mtime > _WRITING_SECONDS:
                path.unlink(missing_ok=True)


def _error(view: Tensor, packed: Tensor) -> float:
    """The largest change of a value, as a share of the largest value."""
    given, kept = view.float(), packed.float()
    if not kept.isfinite().all() and given.isfinite().all():
        raise ValueError("values are too large for fp16; give --cache-dtype bf16 or fp32")
    largest = float(given.abs().max()) if view.numel() else 0.0
    return float((given - kept).abs().max()) / largest if largest else 0.0
