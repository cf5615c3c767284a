"""`amsdf init`: an experiment in YAML, with a comment on every key."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from amsdf.cli.arguments.overrides import overrides_of
from amsdf.config.commented import commented
from amsdf.config.overrides import build_experiment

#: What is written where nothing is asked for.
_DEFAULT = "small"


def run(args: Namespace) -> int:
    """Write the file; one that is there already stays as it is."""
    wanted = overrides_of(args)
    if not (wanted.recipe or wanted.config or wanted.views):
        wanted = replace(wanted, recipe=_DEFAULT)
    experiment = build_experiment(wanted, lambda encoder, file: {})

    path = Path(args.file)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(commented(experiment))
    except FileExistsError:
        raise ValueError(f"{path} is there already; give another name, or remove it") from None
    print(f"{path} written; edit it, then: amsdf train --config {path} --train … --dev …")
    return 0
