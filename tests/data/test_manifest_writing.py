"""Written manifests read back as they were."""

import polars as pl
import pytest

from amsdf.data.manifest import build_manifest, read_manifest
from amsdf.data.manifest_writing import write_manifest


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv"])
def test_written_manifest_reads_back(suffix, tmp_path):
    """Hard ids survive; files below the manifest are named relative to it."""
    rows = [("a b,c.wav", "real", 'the "x"', "train"), ("d.wav", "fake", "-", "dev")]
    table = pl.DataFrame(rows, schema=["utt", "label", "speaker", "split"], orient="row")
    paths = pl.format("{}/{}", pl.lit(str(tmp_path / "audio")), "utt")
    manifest = build_manifest("mine", table.with_columns(path=paths))
    path = tmp_path / f"mine{suffix}"
    write_manifest(manifest, path)
    again = read_manifest(path)
    assert again.table.select(manifest.table.columns).equals(manifest.table)
    raw = pl.read_parquet(path) if suffix == ".parquet" else None
    assert raw is None or raw["path"][0] == "audio/a b,c.wav"


def test_written_manifest_without_labels(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    write_manifest(read_manifest(tmp_path, labelled=False), tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv", labelled=False).count(1) == 0
    with pytest.raises(ValueError, match=r"a manifest is written as \.parquet"):
        write_manifest(read_manifest(tmp_path, labelled=False), tmp_path / "m.xlsx")
