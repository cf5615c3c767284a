"""Make spoofs by copy-synthesis: every spoof through a vocoder and back, as the recipe ebm needs.

    python scripts/revocode.py MANIFEST OUT --vocoder griffin-lim|world|hifigan:FOLDER

`--of bonafide` copies the bona fide recordings instead, and `--of all` both; without labels all
are copied. OUT becomes a corpus of its own: `audio/*.flac` and `manifest.csv`. An interrupted run
goes on where it stopped. Recordings that fail are listed in `failed.tsv`; the exit status is 1.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soundfile
from tqdm import tqdm

from amsdf.audio.files.reading import SAMPLE_RATE, check_waveform, read_audio
from amsdf.audio.vocoders import Vocoder, build_vocoder
from amsdf.contracts import BONAFIDE, SPOOF
from amsdf.data.manifest import Manifest, read_manifest

#: Columns of the source that say something else about the copy, or nothing.
REPLACED = ("utt", "path", "label", "corpus", "attack", "source", "start", "end")


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all made, 1: some failed, 2: the request was wrong."""
    options = _parser().parse_args(arguments)
    try:
        vocoder = build_vocoder(options.vocoder, options.device)
        manifest = _chosen(read_manifest(options.manifest, labelled=False), options)
        _claim(options.out, vocoder)
    except (ValueError, OSError) as error:
        print(f"revocode: {error}", file=sys.stderr)
        return 2

    rows, failed = [], []
    for row in tqdm(manifest.table.iter_rows(named=True), total=len(manifest), unit="clip"):
        name = Path("audio") / _file_name(row["utt"])
        try:
            _make(row, options.out / name, vocoder)
        except ValueError as error:
            failed.append((row["utt"], " ".join(str(error).split())))
        else:
            rows.append(_describe(row, name, vocoder.name))

    _write_tables(options.out, rows, failed)
    print(f"{options.out}: {len(rows)} recordings by {vocoder.name}, {len(failed)} failed")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("manifest", type=Path, help="a manifest, or a folder of recordings")
    parser.add_argument("out", type=Path, help="folder of the new corpus")
    parser.add_argument("--vocoder", required=True, help="griffin-lim, world or hifigan:FOLDER")
    parser.add_argument(
        "--of",
        choices=("spoof", "bonafide", "all"),
        help="what is copied; by default the spoofs, and all recordings where no label is known",
    )
    parser.add_argument("--limit", type=_positive, help="only the first so many recordings")
    parser.add_argument("--device", default="cpu", help="where a hifigan runs")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _chosen(manifest: Manifest, options: argparse.Namespace) -> Manifest:
    """The recordings asked for, or all where no label is known; the first `limit` of them."""
    table = manifest.table
    unknown = table["label"].null_count() == len(table)
    if unknown and options.of == "spoof":
        raise ValueError(f"{manifest.name}: has no labels, so no known spoof; leave --of out")
    wanted = options.of or "spoof"
    if not unknown and wanted != "all":
        table = table.filter(pl.col("label") == (BONAFIDE if wanted == "bonafide" else SPOOF))
    if not len(table):
        other = "bonafide" if wanted == "spoof" else "spoof"
        raise ValueError(f"{manifest.name}: has no {wanted} recording to copy; try --of {other}")
    return Manifest(manifest.name, table.head(options.limit) if options.limit else table)


def _claim(out: Path, vocoder: Vocoder) -> None:
    """Make the folder; refuse one that another vocoder filled, or something else."""
    settings = out / "revocode.json"
    if settings.is_file():
        identity = json.loads(settings.read_text(encoding="utf-8"))["vocoder"]
        if identity != vocoder.identity:
            raise ValueError(
                f"{out}: was made by {identity}, not by {vocoder.identity}; choose another folder"
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: is there and not made by this script; choose another folder")
    (out / "audio").mkdir(parents=True, exist_ok=True)
    _replace(settings, json.dumps({"vocoder": vocoder.identity}) + "\n")


def _file_name(utt: str) -> str:
    """A file name for any id; its digest keeps apart ids that look alike."""
    readable = re.sub(r"[^A-Za-z0-9-]+", "_", utt)[-60:].strip("_")
    return f"{readable}-{hashlib.sha256(utt.encode()).hexdigest()[:8]}.flac"


def _make(row: dict[str, Any], path: Path, vocoder: Vocoder) -> None:
    """Write one copy, whole or not at all; one that is there stays."""
    if path.is_file():
        return
    synthetic = vocoder(read_audio(row["path"], row.get("start"), row.get("end")))
    check_waveform(row["path"], synthetic)
    synthetic = synthetic / max(1.0, float(np.abs(synthetic).max()))
    part = path.with_suffix(".part")
    soundfile.write(part, synthetic, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    os.replace(part, path)


def _describe(row: dict[str, Any], path: Path, attack: str) -> dict[str, Any]:
    """A row of the new manifest: what the source says of itself is kept, speaker included."""
    kept = {key: value for key, value in row.items() if key not in REPLACED}
    new = {"utt": f"{row['utt']}-{attack}", "path": path.as_posix(), "label": "spoof"}
    return {**new, "attack": attack, "source": row["utt"], **kept}


def _write_tables(
    out: Path, rows: Sequence[dict[str, Any]], failed: Sequence[tuple[str, str]]
) -> None:
    manifest, failures = out / "manifest.csv", out / "failed.tsv"
    if rows:
        _replace(manifest, pl.DataFrame(rows, infer_schema_length=None).write_csv())
    else:
        manifest.unlink(missing_ok=True)
    if failed:
        table = pl.DataFrame(failed, schema=["utt", "reason"], orient="row")
        _replace(failures, table.write_csv(separator="\t"))
    else:
        failures.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
