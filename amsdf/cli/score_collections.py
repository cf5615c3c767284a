"""`amsdf score --engine ray`: Parquet manifests of any size to a folder of Parquet scores."""

import sys
from argparse import Namespace

from amsdf.detector.inference.scores import ScoreSettings
from amsdf.detector.storage.loading import open_detector
from amsdf.scoring.engines.row_scorer import ray_module

#: Flags of `score` that show verdicts of single recordings.
_SHOWING = ("json", "jsonl", "csv", "plot", "explain", "verbose", "threshold")


def score_collection(args: Namespace, detector: str) -> int:
    """Score what has no score yet; status 1 where clips failed."""
    units, collection = (ray_module(name) for name in ("work_units", "collection"))
    _check(args)
    named = open_detector(detector, args.bonafide_class, args.trust_remote_code)
    settings = ScoreSettings(
        batch_size=args.batch_size,
        precision=args.precision,
        strict=args.strict,
        progress=sys.stderr.isatty(),
        score_rule=args.score_rule,
        plain=args.plain,
        engine=args.engine,
        address=args.address,
    )
    (place,) = args.inputs
    given = collection.Collection.at(place)
    outcome = collection.score_collection(named, given, units.open_place(args.out), settings)

    counts = f"{outcome.scored} scored + {outcome.failed} failed = {outcome.listed} listed"
    print(f"{counts}; scores in {args.out}")
    if outcome.failed:
        print(f"what failed, with reasons: {args.out.rstrip('/')}/{collection.FAILED}")
    return 1 if outcome.failed else 0


def _check(args: Namespace) -> None:
    """Refuse what cannot work before any work is done."""
    for name in _SHOWING:
        if getattr(args, name):
            raise ValueError(f"--{name}: shows single recordings; leave it out with --engine ray")
    if args.device:
        raise ValueError(f"--device {args.device}: the cluster knows its devices; leave it out")
    if not args.out:
        raise ValueError("--engine ray: writes many scores; say where with --out FOLDER")
    if len(args.inputs) > 1:
        raise ValueError("--engine ray: takes one Parquet file, or one folder of them")
