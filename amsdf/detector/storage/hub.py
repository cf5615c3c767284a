"""Detectors on the Hugging Face hub: fetched into its cache, and uploaded.

A hub id is `owner/name` or `owner/name@revision`. Only the files of a detector are fetched, never
code. `HF_HUB_OFFLINE=1` takes what the cache holds; `HF_ENDPOINT` names another hub.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from amsdf.detector.storage.checkpoint import EXPERIMENT, OF_ITS_WEIGHTS, WEIGHTS

CARD = "README.md"
#: What a detector folder may hold; nothing else is fetched or uploaded.
FILES = (EXPERIMENT, "*.safetensors", *OF_ITS_WEIGHTS, CARD, "LICENSE*")
_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@[\w./-]+)?")
_NO_TOKEN = "log in with `hf auth login`, or give $HF_TOKEN"
#: What the hub's errors mean; the first kind that an error is of decides.
_REASONS: dict[type[Exception], str] = {
    GatedRepoError: f"on the hub its owner gives access on request; ask there, then {_NO_TOKEN}",
    RevisionNotFoundError: "on the hub it has no such revision; leave out what is behind the @",
    RepositoryNotFoundError: f"the hub has none of this name, or hides it: {_NO_TOKEN}",
    LocalTokenNotFoundError: f"the hub asks who you are: {_NO_TOKEN}",
    LocalEntryNotFoundError: "the hub cannot be reached, and its cache here does not hold it",
    HFValidationError: "is no name on the hub either; one is owner/name",
}
_REFUSALS = (EntryNotFoundError, HTTPError, OSError, ValueError)


def is_hub_id(text: str) -> bool:
    """Whether a text is a hub id, and neither it nor its first part is something here."""
    is_file = Path(text).suffix in (".pth", ".pt", ".bin", ".ckpt")
    return bool(_ID.fullmatch(text)) and not is_file and not Path(text.partition("/")[0]).exists()


def local_folder(path: str | Path) -> Path:
    """A path as it is; of a hub id, the folder in the cache."""
    return fetched(str(path)) if is_hub_id(str(path)) else Path(path)


def fetched(hub_id: str) -> Path:
    """The folder in the cache that holds the detector `owner/name` or `owner/name@revision`."""
    name, _, revision = hub_id.partition("@")
    try:
        found = snapshot_download(
            name,
            revision=revision or None,
            allow_patterns=list(FILES),
            endpoint=os.environ.get("HF_ENDPOINT"),
        )
    except _REFUSALS as error:
        raise ValueError(f"{hub_id}: is not a folder here, and {_reason(error)}") from error
    folder = Path(str(found))
    if not (folder / EXPERIMENT).is_file() or not (folder / WEIGHTS).is_file():
        raise ValueError(f"{hub_id}: on the hub it holds no {EXPERIMENT} and {WEIGHTS}")
    return folder


def upload(
    repo_id: str,
    write: Callable[[Path], None],
    private: bool | None = None,
    token: str | None = None,
) -> str:
    """Put a detector folder on the Hugging Face hub -> its address there.

    Args:
        repo_id: `owner/name`; the repository is made if need be.
        write: Writes the folder.
        private: Whether a new repository is hidden; None: as its owner's account says.
        token: Without it, that of `hf auth login` or `$HF_TOKEN`.
    """
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    with TemporaryDirectory() as place:
        folder = Path(place) / "detector"
        write(folder)
        try:
            address = api.create_repo(repo_id, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                allow_patterns=list(FILES),
                commit_message="A detector of AMSDF",
            )
        except _REFUSALS as error:
            raise ValueError(f"{repo_id}: is not uploaded; {_reason(error)}") from error
    return str(address)


def _reason(error: Exception) -> str:
    """What the hub said, in one clause."""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"the hub does not allow it: {_NO_TOKEN}"
    if status:
        return f"the hub answers with status {status}"
    return f"the hub cannot be reached ({' '.join(str(error).split())[:160]})"
