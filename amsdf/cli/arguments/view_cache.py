"""The flags of a cache of frozen views, as the cache that they mean."""

from argparse import Namespace
from pathlib import Path

from amsdf.detector.cache.view_cache import ViewCache


def cache_of(args: Namespace) -> ViewCache | None:
    """The cache of --cache; None without it."""
    if not args.cache:
        if args.cache_dtype:
            raise ValueError("--cache-dtype has no effect without --cache FOLDER; leave it out")
        return None
    return ViewCache(Path(args.cache), args.cache_dtype or "fp32", shown=not args.quiet)
