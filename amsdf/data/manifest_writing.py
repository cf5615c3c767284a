"""A manifest as a file that `read_manifest` reads."""

from pathlib import Path

import polars as pl

from amsdf.data.manifest import Manifest
from amsdf.files import write_atomically


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Parquet, CSV or TSV that `read_manifest` reads; files below it are named relative to it."""
    writers = {
        ".parquet": lambda table, file: table.write_parquet(file),
        ".csv": lambda table, file: table.write_csv(file),
        ".tsv": lambda table, file: table.write_csv(file, separator="\t"),
    }
    if path.suffix.lower() not in writers:
        raise ValueError(f"{path}: a manifest is written as {', '.join(writers)}")
    words = pl.col("label").replace_strict({1: "bonafide", 0: "spoof"}, return_dtype=pl.String)
    folder = f"{path.parent.absolute()}/"
    table = manifest.table.with_columns(pl.col("path").str.strip_prefix(folder), label=words)
    if table["label"].null_count() == len(table):
        table = table.drop("label")
    write_atomically(path, lambda file: writers[path.suffix.lower()](table, file))
