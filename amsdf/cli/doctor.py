"""`amsdf doctor`: what is installed and found, and what to do about the rest.

Nothing heavy is imported, so that it answers at once; `--check` loads every plugin and asks torch.
"""

import os
import platform
import re
import shutil
import subprocess
from argparse import Namespace
from importlib import import_module
from importlib.metadata import requires

from amsdf import registry
from amsdf.cli.terminal.plugin_sources import source_summary
from amsdf.config import read_recipe, recipe_names
from amsdf.data.corpora.finding.roots import roots_here
from amsdf.detector.storage.pretrained import first_existing, pretrained_folders


def run(args: Namespace) -> int:
    """Print everything; status 1 when a core package or a built-in plugin is broken."""
    print(f"python {platform.python_version()} on {platform.platform()}")
    missing = _packages()
    print(f"devices: {_torch_devices() if args.check else _visible_devices()}")
    broken = _plugins(args.check)
    _pretrained()
    _corpora(args)
    return 1 if missing or broken else 0


def _packages() -> int:
    missing = 0
    for line in requires("amsdf") or []:
        name = re.split(r"[^\w.-]", line)[0]
        extra = line.partition("extra ==")[2].strip(" '\"")
        found = registry.package_version(name)
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


def _visible_devices() -> str:
    """What the system shows, without torch."""
    found = [f"cpu ({os.cpu_count()} cores)"]
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, check=False)
        found += done.stdout.split("\n")[:-1] if done.returncode == 0 else []
    return f"{', '.join(found)}; `doctor --check` says which torch can use"


def _torch_devices() -> str:
    torch = import_module("torch")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join([f"cpu ({torch.get_num_threads()} threads)", *names])


def _plugins(check: bool) -> int:
    statuses = registry.status(registry.summary if check else source_summary)
    troubled = [status for status in statuses if status.problem]
    verb = "load" if check else "have what they need"
    print(f"plugins: {len(statuses) - len(troubled)} of {len(statuses)} {verb}")
    for status in troubled:
        print(f"  {status.problem}")
    stale = registry.stale_metadata()
    if stale:
        print(f"  {stale}")
    return sum(status.broken for status in statuses)


def _pretrained() -> None:
    wanted: dict[str, list[str]] = {}
    for name in recipe_names():
        for view in read_recipe(name)["views"].values():
            if isinstance(view, dict) and view.get("pretrained"):
                wanted.setdefault(view["pretrained"], []).append(name)
    places = ", ".join(str(folder) for folder in pretrained_folders())
    print(f"pretrained files, looked for in {places}:")
    for file, recipes in wanted.items():
        absent = f"not here; for {', '.join(recipes)}; see pretrained_models/README.md"
        print(f"  {file}: {first_existing(file) or absent}")


def _corpora(args: Namespace) -> None:
    roots = roots_here(args.data)
    remedy = "; give --data NAME=PATH, $AMSDF_DATA or a data.yaml (`corpora list` names them)"
    print(f"corpora: {len(roots)} with a root{'' if roots else remedy}")
    for name, root in roots.items():
        print(f"  {name}: {root}{'' if root.exists() else ' (does not exist)'}")
