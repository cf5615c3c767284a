"""Is a corpus what it claims to be: counts, unusable clips, copies, leakage, shortcuts."""

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property

import polars as pl
from tqdm import tqdm

from amsdf import registry
from amsdf.audio.files.sources import is_there
from amsdf.conventions import BONAFIDE, SPOOF
from amsdf.data.audit.clip_findings import find_in_clips
from amsdf.data.audit.copy_findings import find_copies
from amsdf.data.audit.findings import Finding
from amsdf.data.audit.measures.baseline import Baseline, fit_baseline
from amsdf.data.audit.measures.clip_measures import ClipMeasures, measure_clip
from amsdf.data.audit.measures.fingerprints import thinned
from amsdf.data.audit.measures.same_sound import find_same
from amsdf.data.audit.measures.shortcuts import find_shortcuts
from amsdf.data.audit.report_text import baseline_lines, count_lines, finding_lines, verdict_line
from amsdf.data.audit.shortcut_findings import find_alone, find_together
from amsdf.data.audit.table_findings import ALL_PARTS, GROUPS, find_between, find_in_table
from amsdf.data.manifest import Manifest

_BATCH = 4096
#: Of more clips only a share of the hashes is kept, so that memory stays bounded.
_WHOLE_FINGERPRINTS = 50_000
_WORDS = ("speaker", "attack", *GROUPS)


@dataclass(frozen=True)
class CheckReport:
    """What was found; `to_text` is for people."""

    #: part, kind (real, fake), expected (null: unknown), found
    counts: pl.DataFrame
    findings: tuple[Finding, ...]
    #: What all measures together get, by corpus and, of several, together.
    baselines: tuple[Baseline, ...]
    #: part and what `find_shortcuts` gives
    shortcuts: pl.DataFrame
    num_listed: int
    num_opened: int

    @cached_property
    def problems(self) -> list[Finding]:
        """What must be mended."""
        return [finding for finding in self.findings if finding.serious]

    @property
    def verdict(self) -> str:
        """Good, usable (but mind the notes) or problems."""
        if self.problems:
            return "problems"
        return "usable" if self.findings else "good"

    def to_text(self) -> str:
        """A page: counts, the baseline, problems, notes, the verdict."""
        notes = [finding for finding in self.findings if not finding.serious]
        lines = [
            f"{self.num_listed:,} clips listed, {self.num_opened:,} of them opened",
            *count_lines(self.counts),
            "",
            *baseline_lines(self.baselines),
            *finding_lines("PROBLEMS", self.problems),
            *finding_lines("NOTES", notes),
            "",
            verdict_line(self.verdict, self.findings),
        ]
        return "\n".join(lines)


def check_corpora(
    manifests: Sequence[Manifest],
    expected: Mapping[str, tuple[int, int]] | None = None,
    sample: int | None = None,
    progress: bool = True,
) -> CheckReport:
    """Check manifests by themselves and against each other.

    Args:
        manifests: Splits of a corpus, or several corpora. One with a column `split` is taken apart.
        expected: Manifest name -> bona fide and spoof counts, beside those published.
        sample: Open at most so many clips of each class of each part; all files must exist anyway.
        progress: Show a bar.
    """
    expected = {**_published(manifests), **(expected or {})}
    parts = [part for manifest in manifests for part in split_parts(manifest)]
    listed = pl.concat([_rows_of(part) for part in parts], how="diagonal_relaxed")
    exists = pl.Series([is_there(path) for path in listed["path"]])
    opened = _measure(_choose(listed.filter(exists), sample), progress)
    absent = listed.filter(~exists).with_columns(problem=pl.lit("missing"), detail=pl.lit(""))
    counts = _count([*manifests, *parts], expected)

    shortcuts = {
        str(part): find_shortcuts(rows)
        for (part,), rows in opened.group_by("part", maintain_order=True)
    }
    baselines = _baselines(opened)
    findings = [
        *(hit for baseline in baselines for hit in find_together(baseline)),
        *(hit for part, table in shortcuts.items() for hit in find_alone(part, table)),
        *_wrong_counts(counts),
        *find_in_table(listed),
        *find_between(listed),
        *find_in_clips(pl.concat([opened, absent], how="diagonal_relaxed")),
        *find_copies(find_same(opened, progress)),
    ]
    tables = [
        table.select(pl.lit(part).alias("part"), pl.all()) for part, table in shortcuts.items()
    ]
    return CheckReport(
        counts=counts,
        findings=tuple(findings),
        baselines=tuple(baselines),
        shortcuts=pl.concat(tables) if tables else pl.DataFrame(),
        num_listed=len(listed),
        num_opened=len(opened),
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
    columns = part.table.columns
    times = [name for name in ("start", "end") if name in columns]
    words = [name for name in _WORDS if name in columns]
    return part.table.select(
        "utt",
        "path",
        "label",
        pl.col(times).cast(pl.Float64),
        pl.col(words).cast(pl.String),
        part=pl.lit(part.name),
    )


def _choose(listed: pl.DataFrame, sample: int | None) -> pl.DataFrame:
    if sample is None:
        return listed
    place = pl.int_range(pl.len()).shuffle(seed=0).over("part", "label")
    return listed.filter(place < sample)


def _measure(chosen: pl.DataFrame, progress: bool) -> pl.DataFrame:
    """The chosen rows with the columns of `ClipMeasures`; decoding releases the interpreter."""
    tables = [pl.DataFrame(schema=_MEASURED)]
    share = math.ceil(len(chosen) / _WHOLE_FINGERPRINTS)
    names = [name for name in ("path", "start", "end") if name in chosen.columns]
    bar = tqdm(total=len(chosen), desc="clips", unit="clip", disable=not progress)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool, bar:
        for batch in chosen.select(names).iter_slices(_BATCH):
            measured = []
            for clip in pool.map(lambda row: measure_clip(**row), batch.to_dicts()):
                kept = clip.fingerprint and thinned(clip.fingerprint, share)
                measured.append(asdict(replace(clip, fingerprint=kept)))
                bar.update()
            tables.append(pl.DataFrame(measured, schema=_MEASURED))
    return chosen.hstack(pl.concat(tables))


_TYPES = {
    "fingerprint": pl.Binary,
    **dict.fromkeys(("problem", "detail", "content", "format"), pl.String),
}
_MEASURED = {field.name: _TYPES.get(field.name, pl.Float64) for field in fields(ClipMeasures)}


def _baselines(opened: pl.DataFrame) -> list[Baseline]:
    """Of each corpus, and of several together."""
    corpus = pl.col("part").str.split("/").list.first()
    corpora = opened.with_columns(corpus=corpus).partition_by("corpus", maintain_order=True)
    found = [fit_baseline(rows["corpus"][0], rows) for rows in corpora]
    if len(corpora) > 1:
        source = pl.col("source") if "source" in opened.columns else pl.lit(None)
        found.append(
            fit_baseline(ALL_PARTS, opened.with_columns(source=pl.coalesce(source, corpus)))
        )
    return found


def _count(manifests: Sequence[Manifest], expected: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
    rows = []
    for manifest in {manifest.name: manifest for manifest in manifests}.values():
        published = expected.get(manifest.name, (None, None))
        for kind, label, number in zip(("real", "fake"), (BONAFIDE, SPOOF), published, strict=True):
            rows.append((manifest.name, kind, number, manifest.count(label)))
    schema = {"part": pl.String, "kind": pl.String, "expected": pl.Int64, "found": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _wrong_counts(counts: pl.DataFrame) -> list[Finding]:
    differing = counts.filter(pl.col("expected") != pl.col("found"))  # null: not known
    return [
        Finding(
            row["part"],
            "count",
            f"has {row['found']:,} {row['kind']} clips where {row['expected']:,} were published",
            "is the download complete, and is it this version?",
        )
        for row in differing.iter_rows(named=True)
    ]
