"""Is a corpus what it claims to be: counts, unusable clips, duplicates, leakage, shortcuts."""

import itertools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import polars as pl
from tqdm import tqdm

from amsdf import registry
from amsdf.conventions import BONAFIDE, SPOOF
from amsdf.data.audit.clip_measures import ClipMeasures, measure_clip
from amsdf.data.audit.shortcuts import NOTABLE, SUSPICIOUS, find_shortcuts
from amsdf.data.manifest import Manifest
from amsdf.files import write_atomically

HARMLESS = ("clipped", "duplicate")
NO_SPEAKER = ("", "-", "unknown")
_SHORTCUTS_TITLE = (
    "features that alone separate the classes: max(EER, 1 - EER), which is no EER, "
    f"of at least {NOTABLE} (0.5 is chance)"
)
_BATCH = 4096
_FINDING = ("part", "kind", "utt", "detail")


@dataclass(frozen=True)
class CheckReport:
    """What was found, as tables; `to_text` is for people."""

    #: part, kind (bona fide, spoof, unlabelled), expected (null: unknown), found
    counts: pl.DataFrame
    #: part, kind, utt, detail: one row a clip
    findings: pl.DataFrame
    #: first, second, kind (utterances, speakers, sounds), shared, example
    leakage: pl.DataFrame
    #: part, feature, eer, separation, bonafide, spoof
    shortcuts: pl.DataFrame
    num_listed: int
    num_opened: int

    @property
    def wrong_counts(self) -> pl.DataFrame:
        """The rows of `counts` that differ from what was published."""
        return self.counts.filter(pl.col("expected") != pl.col("found"))  # null: not known

    @property
    def ok(self) -> bool:
        """Counts as published, every opened clip usable, nothing shared between parts."""
        serious = self.findings.filter(~pl.col("kind").is_in(HARMLESS))
        return not (len(serious) or len(self.wrong_counts) or len(self.leakage))

    def to_text(self) -> str:
        """A report of a few dozen lines."""
        lines = [f"{self.num_listed} clips listed, {self.num_opened} of them opened", ""]
        lines += [_count_line(**row) for row in self.counts.iter_rows(named=True)]
        for (part, kind), rows in self.findings.group_by("part", "kind", maintain_order=True):
            first = rows.row(0, named=True)
            lines.append(f"{part}: {len(rows)} {kind}, first {first['utt']!r}: {first['detail']}")
        for row in self.leakage.iter_rows(named=True):
            lines.append(
                "{first} and {second} share {kind}: {shared}, e.g. {example!r}".format(**row)
            )
        lines += ["", _SHORTCUTS_TITLE]
        notable = self.shortcuts.filter(pl.col("separation") >= NOTABLE)
        lines += [_shortcut_line(**row) for row in notable.iter_rows(named=True)]
        return "\n".join([*lines, "", "all in order" if self.ok else "see the problems above"])


def _count_line(part: str, kind: str, expected: int | None, found: int) -> str:
    against = "" if expected is None else f", published {expected}"
    mark = "" if expected in (None, found) else "   <- differs"
    return f"{part}: {found} {kind}{against}{mark}"


def _shortcut_line(part: str, feature: str, separation: float, **row: float | str) -> str:
    mark = "   <- a shortcut" if separation >= SUSPICIOUS else ""
    return (
        f"{part}: {feature} {separation:.2f} (EER {row['eer']:.2f}; typically "
        f"{row['bonafide']} bona fide, {row['spoof']} spoof){mark}"
    )


def check_corpora(
    manifests: Sequence[Manifest],
    expected: Mapping[str, tuple[int, int]] | None = None,
    sample: int | None = None,
    progress: bool = True,
) -> CheckReport:
    """Check manifests by themselves and against each other.

    Args:
        manifests: Splits of a corpus, or several corpora. One with a column `split` is taken apart.
        expected: Manifest name -> bona fide and spoof counts; without it, those published.
        sample: Open at most so many clips of each class of each part; all files must exist anyway.
        progress: Show a bar.
    """
    if expected is None:
        expected = _published(manifests)
    parts = [part for manifest in manifests for part in split_parts(manifest)]
    listed = pl.concat([_rows_of(part) for part in parts], how="diagonal_relaxed")
    exists = pl.Series([Path(path).is_file() for path in listed["path"]])
    chosen = _choose(listed.filter(exists), sample)
    clips = _measure(chosen, progress)
    return CheckReport(
        counts=_count([*manifests, *parts], expected),
        findings=pl.concat([_missing(listed.filter(~exists)), _unusable(clips), _repeated(clips)]),
        leakage=find_leakage({part.name: part.table for part in parts}, clips),
        shortcuts=_shortcuts(clips),
        num_listed=len(listed),
        num_opened=len(clips),
    )


def _published(manifests: Sequence[Manifest]) -> dict[str, tuple[int, int]]:
    names = {manifest.name.partition("/")[0] for manifest in manifests}
    known = [registry.load("corpora", name) for name in names & set(registry.names("corpora"))]
    return {name: counts for corpus in known for name, counts in corpus.expected().items()}


def split_parts(manifest: Manifest) -> list[Manifest]:
    """The parts that the column `split` makes, or the manifest itself."""
    if "split" not in manifest.table.columns:
        return [manifest]
    splits = manifest.table["split"].unique(maintain_order=True).drop_nulls().to_list()
    return [manifest.select(split) for split in splits] if len(splits) > 1 else [manifest]


def _rows_of(part: Manifest) -> pl.DataFrame:
    columns = [name for name in ("start", "end") if name in part.table.columns]
    return part.table.select(
        "utt", "path", "label", pl.col(columns).cast(pl.Float64), part=pl.lit(part.name)
    )


def _choose(listed: pl.DataFrame, sample: int | None) -> pl.DataFrame:
    if sample is None:
        return listed
    place = pl.int_range(pl.len()).shuffle(seed=0).over("part", "label")
    return listed.filter(place < sample)


def _measure(chosen: pl.DataFrame, progress: bool) -> pl.DataFrame:
    """The chosen rows with the columns of `ClipMeasures`; decoding releases the interpreter."""
    measured: list[ClipMeasures] = []
    names = [name for name in ("path", "start", "end") if name in chosen.columns]
    bar = tqdm(total=len(chosen), desc="clips", unit="clip", disable=not progress)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool, bar:
        for batch in chosen.select(names).iter_slices(_BATCH):
            for clip in pool.map(lambda row: measure_clip(**row), batch.to_dicts()):
                measured.append(clip)
                bar.update()
    rows = pl.DataFrame([asdict(clip) for clip in measured], schema=_MEASURED)
    return chosen.hstack(rows)


_TYPES = {
    "clipped": pl.Boolean,
    **dict.fromkeys(("problem", "detail", "content", "format"), pl.String),
}
_MEASURED = {field.name: _TYPES.get(field.name, pl.Float64) for field in fields(ClipMeasures)}


def _count(manifests: Sequence[Manifest], expected: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
    rows = []
    for manifest in {manifest.name: manifest for manifest in manifests}.values():
        published = expected.get(manifest.name, (None, None))
        for kind, label, number in zip(
            ("bona fide", "spoof"), (BONAFIDE, SPOOF), published, strict=True
        ):
            rows.append((manifest.name, kind, number, manifest.count(label)))
        unlabelled = manifest.table["label"].null_count()
        if unlabelled:
            rows.append((manifest.name, "unlabelled", 0, unlabelled))
    schema = {"part": pl.String, "kind": pl.String, "expected": pl.Int64, "found": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _missing(absent: pl.DataFrame) -> pl.DataFrame:
    return absent.select("part", "utt", kind=pl.lit("missing"), detail="path").select(_FINDING)


def _unusable(clips: pl.DataFrame) -> pl.DataFrame:
    bad = clips.filter(pl.col("problem") != "").with_columns(kind="problem")
    clipped = clips.filter("clipped").with_columns(
        kind=pl.lit("clipped"), detail=pl.lit("stays at full scale")
    )
    return pl.concat([bad.select(_FINDING), clipped.select(_FINDING)])


def _repeated(clips: pl.DataFrame) -> pl.DataFrame:
    """Clips of one part with the same sound; worse, with the same sound and another label."""
    same = clips.drop_nulls("content").with_columns(
        first=pl.col("utt").first().over("part", "content"),
        first_label=pl.col("label").first().over("part", "content"),
    )
    again = same.filter(pl.col("utt") != pl.col("first"))
    contradicts = pl.col("label").ne_missing(pl.col("first_label"))
    return again.select(
        "part",
        pl.when(contradicts)
        .then(pl.lit("contradiction"))
        .otherwise(pl.lit("duplicate"))
        .alias("kind"),
        "utt",
        pl.format("same sound as {}", "first").alias("detail"),
    )


def _shareable(name: str, table: pl.DataFrame, clips: pl.DataFrame) -> dict[str, dict[str, str]]:
    """What two parts must not share, by kind: what is compared -> how it is shown."""
    utts = table["utt"].to_list()
    speakers = table["speaker"].drop_nulls().unique() if "speaker" in table.columns else ()
    heard = clips.filter(pl.col("part") == name).drop_nulls("content")
    return {
        "utterances": dict(zip(utts, utts, strict=True)),
        "speakers": {str(word): str(word) for word in speakers if word not in NO_SPEAKER},
        "sounds": dict(zip(heard["content"], heard["utt"], strict=True)),
    }


def find_leakage(tables: Mapping[str, pl.DataFrame], clips: pl.DataFrame) -> pl.DataFrame:
    """Utterances, speakers and sounds that two parts share.

    Args:
        tables: Part -> rows with `utt` and, where known, `speaker`.
        clips: Rows with `part` and `content`.
    """
    values = {name: _shareable(name, table, clips) for name, table in tables.items()}
    rows = []
    for (first, mine), (second, theirs) in itertools.combinations(values.items(), 2):
        for kind in mine:
            shared = mine[kind].keys() & theirs[kind].keys()
            if shared:
                rows.append((first, second, kind, len(shared), mine[kind][min(shared)]))
    columns = ("first", "second", "kind", "shared", "example")
    schema = {name: pl.Int64 if name == "shared" else pl.String for name in columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _shortcuts(clips: pl.DataFrame) -> pl.DataFrame:
    tables = [
        find_shortcuts(rows).select(pl.lit(str(part)).alias("part"), pl.all())
        for (part,), rows in clips.group_by("part", maintain_order=True)
    ]
    return pl.concat(tables) if tables else find_shortcuts(clips).with_columns(part=pl.lit(""))


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
