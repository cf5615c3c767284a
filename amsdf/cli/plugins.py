"""`amsdf plugins`: what is registered, by whom, and what does not load."""

import inspect
from argparse import Namespace
from collections.abc import Sequence
from itertools import groupby

from amsdf import registry


def run(args: Namespace) -> int:
    """List all plugins, or one with its arguments; status 1 when some are broken."""
    if args.name:
        return _show(args.name)
    statuses = registry.status()
    for kind, group in groupby(statuses, key=lambda status: status.kind):
        print(f"\n{kind}")
        for status in group:
            foreign = (
                "" if status.distribution.startswith("amsdf ") else f" [{status.distribution}]"
            )
            print(f"  {status.name:<18} {status.problem or status.summary}{foreign}")
    stale = registry.stale_metadata()
    if stale:
        print(f"\n{stale}")
    return 1 if broken(statuses) else 0


def broken(statuses: Sequence[registry.PluginStatus]) -> list[registry.PluginStatus]:
    """Those that do not load, an optional package that is not installed apart."""
    optional = ("pip install 'amsdf[", *registry.STOPPED.values())
    return [
        status
        for status in statuses
        if status.problem and not any(remedy in status.problem for remedy in optional)
    ]


def _show(name: str) -> int:
    kinds = [kind for kind in registry.KINDS if name in registry.names(kind)]
    if not kinds:
        everything = [other for kind in registry.KINDS for other in registry.names(kind)]
        raise ValueError(f"no plugin named {name!r}.{registry.nearest(name, everything)}")
    for kind in kinds:
        print(f"{registry.SINGULAR[kind]} {name}\n")
        print(inspect.getdoc(registry.load(kind, name)) or "")
        if kind != "corpora":
            print("\nArguments:")
            for parameter in registry.parameters(kind, name).values():
                print(f"  {parameter}")
    return 0
