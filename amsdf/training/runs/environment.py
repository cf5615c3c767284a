"""What a run was made with: command, versions, machine, and what decides the order of additions."""

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from amsdf.registry import package_version

PACKAGES = ("amsdf", "torch", "transformers", "accelerate", "numpy", "soundfile", "soxr", "av")
CPUINFO = Path("/proc/cpuinfo")


def environment() -> dict[str, Any]:
    """Everything but the data, as `environment.json` keeps it."""
    return {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "processor": processor(),
        "threads": {"intraop": torch.get_num_threads(), "interop": torch.get_num_interop_threads()},
        "packages": {name: package_version(name) for name in PACKAGES},
        "git": git_commit(),
    }


def processor() -> dict[str, str]:
    """Name of the processor, and which of its vector instructions torch uses."""
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return {"name": name, "instructions": torch.backends.cpu.get_cpu_capability()}


def git_commit() -> str | None:
    """The commit of the source tree, with '+' when it has been changed since."""
    root = Path(__file__).parents[3]

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
