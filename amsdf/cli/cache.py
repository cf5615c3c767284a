"""`amsdf cache`: keep what frozen encoders give, say what is kept, remove some of it."""

import time
from argparse import Namespace
from functools import partial
from pathlib import Path

from amsdf.cli.arguments.overrides import overrides_of
from amsdf.cli.flags.shared import named_paths
from amsdf.data.corpora.finding.roots import roots_here
from amsdf.detector.cache.filling import Team
from amsdf.detector.cache.store import ViewStore
from amsdf.detector.cache.upkeep import held, prune
from amsdf.detector.cache.view_cache import GB, ViewCache
from amsdf.detector.detector import Detector
from amsdf.detector.storage.loading import best_device, open_detector
from amsdf.detector.storage.pretrained_views import architecture_of
from amsdf.evaluation.cross_evaluation import open_corpora
from amsdf.scoring.calibration.calibrated_training import named_experiment
from amsdf.training.clips.kept_clips import keep_for_training
from amsdf.training.plan import RunSettings, open_plan

_DAY = 86_400


def run(args: Namespace) -> int:
    """Dispatch on the action."""
    _refuse_idle(args)
    if args.action == "build":
        return _build(args)
    folder = Path(args.folder)
    if not (folder / "views").is_dir():
        raise ValueError(f"{folder}: is not a cache; `cache build` makes one")
    return _info(folder) if args.action == "info" else _prune(args, ViewStore(folder))


def _refuse_idle(args: Namespace) -> None:
    """Refuse what the action would not look at."""
    described = {"--recipe": args.recipe, "--config": args.config, "--view": args.view}
    building = {**described, "--detector": args.detector, "--on": args.on, "--limit": args.limit}
    pruning = {"--unused": args.unused, "--to": args.to, "--encoder": args.encoder}
    idle = {
        "build": pruning,
        "info": {**building, **pruning},
        "prune": building,
    }[args.action]
    for word in (word for word, given in idle.items() if given):
        raise ValueError(f"cache {args.action}: {word} has no effect; leave it out")
    if args.action == "prune" and not any(given is not None for given in pruning.values()):
        raise ValueError("cache prune: what? Give --unused DAYS, --to GB or --encoder NAME")
    if args.action != "build":
        return
    if bool(args.detector) != bool(args.on):
        raise ValueError("cache build: --detector PATH and --on CORPUS belong together")
    if args.detector and any(described.values()):
        raise ValueError("cache build: give an experiment or --detector, not both")


def _build(args: Namespace) -> int:
    limit = None if args.limit is None else round(args.limit * GB)
    cache = ViewCache(Path(args.folder), args.cache_dtype or "fp32", limit, not args.quiet)
    if args.detector:
        _build_for_scoring(args, cache)
    else:
        _build_for_training(args, cache)
    failed = cache.failed
    if failed:
        print(f"{len(failed)} clips left out: they cannot be read; the first: {failed[0]}")
    print(f"{cache.num_made} clips encoded; `amsdf cache info {args.folder}` says what there is")
    return 1 if failed else 0


def _build_for_training(args: Namespace, cache: ViewCache) -> None:
    experiment, roots = named_experiment(overrides_of(args), roots_here(args.data), architecture_of)
    settings = RunSettings(trust_remote_code=args.trust_remote_code, cache=cache)
    plan = open_plan(experiment, cache.folder, roots, settings)
    keep_for_training(experiment, plan, args.workers)


def _build_for_scoring(args: Namespace, cache: ViewCache) -> None:
    manifests = open_corpora(args.on, named_paths(args.data))
    precision = args.precision or "fp32"
    for path in args.detector:
        opening = partial(_opened, path, args.trust_remote_code)
        detector = opening()
        if not detector.frozen_views:
            raise ValueError(f"{path}: none of its views is frozen; there is nothing to keep")
        team = Team(args.workers, opening) if args.workers > 1 else None
        for manifest in manifests:
            rows = range(len(manifest))
            cache.parts(detector, manifest, rows, precision, team)


def _opened(path: str, trust_remote_code: bool) -> Detector:
    return open_detector(path, trust_remote_code=trust_remote_code)[1].to(best_device(None))


def _info(folder: Path) -> int:
    found = held(ViewStore(folder))
    total = sum(each.size for each in found)
    print(f"{folder}: {total / GB:.3g} GB of {len(found)} encoders")
    for each in found:
        about = each.about
        print(
            f"{each.encoder}\n  {each.views} views, {each.size / GB:.3g} GB, kept in "
            f"{about['stored']}, largest error {each.error:.2g} of a view's largest value\n"
            f"  weights {about['weights']}, run in {about['precision']}, {about['made_with']}"
        )
        settings = ", ".join(f"{key}: {value}" for key, value in about["settings"].items())
        print(f"  settings: {settings or 'defaults'}")
    return 0


def _prune(args: Namespace, store: ViewStore) -> int:
    since = None if args.unused is None else time.time() - args.unused * _DAY
    most = None if args.to is None else round(args.to * GB)
    views, size = prune(store, since, most, args.encoder)
    print(f"{views} views removed, {size / GB:.3g} GB")
    return 0
