"""The ids of the Arena's own data sets: JSON in their column `notes`."""

import json

import polars as pl

from amsdf.data.manifest import Manifest


def with_arena_ids(manifest: Manifest) -> Manifest:
    """The set under the ids that the Arena's package knows; another set as it is."""
    if "notes" not in manifest.table.columns:
        return manifest
    ids = [_id_in(str(notes)) for notes in manifest.table["notes"]]
    if "" in ids:
        return manifest
    return Manifest(manifest.name, manifest.table.with_columns(utt=pl.Series(ids)))


def _id_in(notes: str) -> str:
    """`{"utterance_id": "a"}` -> a; empty for anything else."""
    try:
        said = json.loads(notes)
    except ValueError:
        return ""
    return str(said.get("utterance_id", "")) if isinstance(said, dict) else ""
