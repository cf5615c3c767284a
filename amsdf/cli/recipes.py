"""`amsdf recipes`: the shipped experiments."""

from argparse import Namespace

from amsdf.config import recipe_names
from amsdf.config.recipes import recipe_summary, recipe_text


def run(args: Namespace) -> int:
    """List them, or print one as it is written."""
    if args.name:
        print(recipe_text(args.name), end="")
        return 0
    width = max(map(len, recipe_names()))
    for name in recipe_names():
        print(f"{name:<{width}}  {recipe_summary(name)}")
    print("\n`amsdf recipes NAME` shows one; `amsdf train --recipe NAME` trains it.")
    return 0
