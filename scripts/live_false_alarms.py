"""How often `amsdf live` raises an alarm at real speech, and how soon at fakes.

    python scripts/live_false_alarms.py CORPORA --out pretrained_models/starter/live_alarms.json

Limits are chosen on half of the speakers of some corpora and on the dev sources. They are checked
on the other half and on corpora that the detector never met, whose fakes are to be found.
"""

import argparse
from pathlib import Path

import polars as pl

import amsdf
from amsdf.data.manifest import Manifest, read_manifest
from amsdf.serving.live.measuring import Stream, hear_streams, streams_of, table_of
from amsdf.serving.live.stream import LiveJudge, LiveSettings

#: Half of their speakers choose; those of the dev sources choose all.
HALVED = ("emodb", "fsdd_vocoded", "ami_mini")
CHOOSING = ("yourtts", "speechbot")
#: Never trained on, never chosen by.
UNHEARD = (
    *("speechtokenizer", "starganv2", "styletts2", "styletts_vc", "valle_repro", "vocos"),
    *("hifigan_demo", "glowtts_demo"),
)
#: Fake systems with fewer clips are too short for a stream.
FEWEST = 5


def main() -> None:
    """Measure, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--detector", default="starter")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()

    manifests = [corpus(args.corpora, name) for name in (*HALVED, *CHOOSING, *UNHEARD)]
    streams = [stream for manifest in manifests for stream in streams_of_one(manifest)]
    judge, settings = amsdf.load(args.detector, device="cpu"), LiveSettings()
    heard = hear_streams(judge, streams, settings, progress=True)
    digests = {manifest.name: manifest.digest for manifest in manifests}
    table = table_of(LiveJudge(judge, settings), heard, digests)
    print("\n".join(table.lines()))
    if args.out:
        table.write(args.out)


def corpus(corpora: Path, name: str) -> Manifest:
    """Its real speech; of those that were never met also the fakes."""
    manifest = read_manifest(corpora / name / "manifest.csv")
    fits = pl.col("label") == 1
    if name in UNHEARD:
        fits |= pl.len().over("label", "attack") >= FEWEST
    return Manifest(name, manifest.table.filter(fits))


def streams_of_one(manifest: Manifest) -> list[Stream]:
    """Its speakers in their roles."""
    if manifest.name in HALVED:
        return streams_of(manifest)
    return streams_of(manifest, "all" if manifest.name in CHOOSING else "none")


if __name__ == "__main__":
    main()
