"""`amsdf doctor`: what is installed, loads and is found, and what to do about the rest."""

import platform
from argparse import Namespace
from importlib.metadata import requires

import torch

from amsdf import registry
from amsdf.cli.plugins import broken
from amsdf.config import Experiment, read_recipe, recipe_names
from amsdf.data.corpora.roots import roots_here
from amsdf.detector.pretrained import find_pretrained, folders
from amsdf.training.environment import package_version


def run(args: Namespace) -> int:
    """Print everything; status 1 when a core package or a built-in plugin is broken."""
    print(f"python {platform.python_version()} on {platform.platform()}")
    missing = _packages()
    _devices()
    broken = _plugins()
    _pretrained()
    _corpora(args)
    return 1 if missing or broken else 0


def _packages() -> int:
    missing = 0
    for line in requires("amsdf") or []:
        name = line.split(";")[0].split("[")[0]
        for mark in "<>=! ":
            name = name.split(mark)[0]
        extra = line.partition("extra ==")[2].strip(" '\"")
        found = package_version(name)
        if extra == "dev":
            continue
        if found is None and not extra:
            missing += 1
            print(f"package {name}: missing; pip install -r requirements.txt")
        elif found is None:
            print(f"package {name}: not installed (optional); pip install 'amsdf[{extra}]'")
        else:
            print(f"package {name}: {found}")
    return missing


def _devices() -> None:
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    print(f"devices: cpu ({torch.get_num_threads()} threads){''.join(f', {n}' for n in names)}")


def _plugins() -> int:
    statuses = registry.status()
    troubled = [status for status in statuses if status.problem]
    print(f"plugins: {len(statuses) - len(troubled)} of {len(statuses)} load")
    for status in troubled:
        print(f"  {status.problem}")
    stale = registry.stale_metadata()
    if stale:
        print(f"  {stale}")
    return len(broken(troubled))


def _pretrained() -> None:
    wanted: dict[str, list[str]] = {}
    for name in recipe_names():
        for view in Experiment.parse(read_recipe(name)).views.values():
            if view.pretrained:
                wanted.setdefault(view.pretrained, []).append(name)
    print(f"pretrained files, looked for in {', '.join(str(folder) for folder in folders())}:")
    for file, recipes in wanted.items():
        try:
            print(f"  {file}: {find_pretrained(file)}")
        except ValueError:
            users = ", ".join(recipes)
            print(f"  {file}: not here; for {users}; see pretrained_models/README.md")


def _corpora(args: Namespace) -> None:
    roots = roots_here(args.data)
    remedy = "; give --data NAME=PATH, $AMSDF_DATA or a data.yaml (`corpora list` names them)"
    print(f"corpora: {len(roots)} with a root{'' if roots else remedy}")
    for name, root in roots.items():
        print(f"  {name}: {root}{'' if root.exists() else ' (does not exist)'}")
