"""The settings that make torch repeat itself."""

import os

import torch

from amsdf.cli.process import keep_freed_memory

os.environ.setdefault("HF_HUB_OFFLINE", "1")
if "OMP_NUM_THREADS" not in os.environ:
    torch.set_num_threads(1)
keep_freed_memory()
