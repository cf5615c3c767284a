"""`amsdf plugins`: what is registered, by whom, and what does not load; the shipped recipes."""

import inspect
from argparse import Namespace
from itertools import groupby

from amsdf import registry
from amsdf.cli.terminal.plugin_sources import source_summary
from amsdf.config import recipe_names
from amsdf.config.recipes import recipe_summary, recipe_text


def run(args: Namespace) -> int:
    """List everything, or show one in full; status 1 when some are broken."""
    if args.name:
        return _show(args.name)
    statuses = registry.status(registry.summary if args.check else source_summary)
    for kind, group in groupby(statuses, key=lambda status: status.kind):
        print(f"\n{kind}")
        for status in group:
            foreign = (
                "" if status.distribution.startswith("amsdf ") else f" [{status.distribution}]"
            )
            print(f"  {status.name:<18} {status.problem or status.summary}{foreign}")
    print("\nrecipes")
    for name in recipe_names():
        print(f"  {name:<18} {recipe_summary(name)}")
    print("\n`plugins NAME` shows the arguments of one; `plugins --check` loads every one.")
    stale = registry.stale_metadata()
    if stale:
        print(stale)
    return 1 if any(status.broken for status in statuses) else 0


def _show(name: str) -> int:
    kinds = [kind for kind in registry.KINDS if name in registry.names(kind)]
    recipe = name in recipe_names()
    if not kinds and not recipe:
        plugins = [other for kind in registry.KINDS for other in registry.names(kind)]
        known = [*plugins, *recipe_names()]
        raise ValueError(f"no plugin or recipe named {name!r}.{registry.nearest(name, known)}")
    for kind in kinds:
        print(f"{registry.SINGULAR[kind]} {name}\n")
        print(inspect.getdoc(registry.load(kind, name)) or "")
        if kind != "corpora":
            print("\nArguments:")
            for parameter in registry.parameters(kind, name).values():
                print(f"  {parameter}")
        print()
    if recipe:
        print(f"recipe {name}\n\n{recipe_text(name)}", end="")
    return 0
