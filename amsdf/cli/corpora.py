"""`amsdf corpora`: list them, check one, write its manifest."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from amsdf import registry
from amsdf.data import audit
from amsdf.data.corpora.finding.corpus import (
    ALIASES,
    Corpus,
    described_counts,
    open_corpus,
    open_splits,
)
from amsdf.data.corpora.finding.references import name_references
from amsdf.data.corpora.finding.roots import roots_here
from amsdf.data.manifest_writing import write_manifest
from amsdf.files import make_folder_of


def run(args: Namespace) -> int:
    """Dispatch on the action."""
    _refuse_idle(args)
    roots = roots_here(args.data)
    if args.action == "list":
        return _list(roots)
    if not args.names:
        raise ValueError(f"corpora {args.action}: which one? `corpora list` names them")
    return _check(args, roots) if args.action == "check" else _manifest(args, roots)


def _refuse_idle(args: Namespace) -> None:
    """Refuse what the action would not look at."""
    idle = {
        "list": {"CORPUS": args.names, "--out": args.out, "--sample": args.sample},
        "check": {"--out": args.out},
        "manifest": {"--sample": args.sample},
    }[args.action]
    for word in (word for word, given in idle.items() if given):
        raise ValueError(f"corpora {args.action}: {word} has no effect; leave it out")


def _list(roots: Mapping[str, Path]) -> int:
    short = {reference: alias for alias, reference in ALIASES.items()}
    for name in registry.names("corpora"):
        corpus: Corpus = registry.load("corpora", name)
        where = str(roots.get(name, "no root: --data " + name + "=FOLDER"))
        print(f"{name:<20}{corpus.source}")
        print(f"{'':<20}splits: {', '.join((*corpus.splits, *corpus.pooled))}; {where}")
        for reference, alias in short.items():
            if reference.split("/")[0] == name:
                print(f"{'':<20}{alias} = {reference}")
    for name, root in roots.items():
        if name not in registry.names("corpora"):
            print(f"{name:<20}your own: {root}")
    return 0


def _check(args: Namespace, roots: Mapping[str, Path]) -> int:
    names, roots = name_references(args.names, roots)
    manifests = [manifest for name in names or [] for manifest in open_splits(name, roots)]
    expected = described_counts(names or [], roots)
    report = audit.check_corpora(manifests, expected, args.sample, progress=not args.quiet)
    print(report.to_text())
    return 1 if report.problems else 0


def _manifest(args: Namespace, roots: Mapping[str, Path]) -> int:
    if not args.out or len(args.names) != 1:
        raise ValueError("corpora manifest: give one CORPUS and --out FILE.parquet (or .csv)")
    make_folder_of(Path(args.out))
    names, roots = name_references(args.names, roots)
    manifest = open_corpus((names or [])[0], roots)
    write_manifest(manifest, Path(args.out))
    print(f"{args.out}: {len(manifest)} utterances of {manifest.name}")
    return 0
