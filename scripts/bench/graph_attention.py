"""Peak memory and time of the pair scores of graph attention, against the plain form.

    python scripts/bench/graph_attention.py --batch 12 --nodes 50 200

The plain form keeps the (B, N, N, D) products and their projections for the backward pass.
"""

import argparse
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from heads._pair_scores import pair_scores, plain_pair_scores

PairScores = Callable[[Tensor, nn.Linear, Tensor], Tensor]
MIB = 1 << 20


def train_step(form: PairScores, nodes: Tensor, linear: nn.Linear, vectors: Tensor) -> None:
    """One forward and backward pass of the scores as graph attention uses them."""
    form(nodes, linear, vectors).squeeze(-1).softmax(dim=-1).square().sum().backward()


class MemoryCount(TorchDispatchMode):
    """Counts the bytes of all tensors made under it that are still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.used = self.peak = 0
        self.seen: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and count what it made."""
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage in self.seen:
            return
        self.seen.add(storage)
        self.used += storage.nbytes()
        self.peak = max(self.peak, self.used)
        weakref.finalize(storage, self._free, storage.nbytes())

    def _free(self, size: int) -> None:
        self.used -= size


def peak_bytes(step: Callable[[], None], device: str) -> int:
    """Most memory in use at a time above that at the start of `step`."""
    if device == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with MemoryCount() as count:
        step()
    return count.peak


def seconds(step: Callable[[], None], device: str, repeats: int = 5) -> float:
    """Mean time of a step after one to warm up."""
    step()
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


def compare(batch: int, num_nodes: int, dim: int, device: str) -> tuple[list[int], list[float]]:
    """Peak bytes and seconds of the plain form and of ours."""
    torch.manual_seed(0)
    nodes = torch.randn(batch, num_nodes, dim, device=device, requires_grad=True)
    linear = nn.Linear(dim, dim, device=device)
    vectors = torch.randn(dim, 1, device=device, requires_grad=True)
    peaks, times = [], []
    for form in (plain_pair_scores, pair_scores):

        def step(form: PairScores = form) -> None:
            train_step(form, nodes, linear, vectors)

        step()  # gradients exist from here on
        peaks.append(peak_bytes(step, device))
        times.append(seconds(step, device))
    return peaks, times


def main() -> None:
    """Print one line a node count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--nodes", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    arguments = parser.parse_args()
    print(f"batch {arguments.batch}, width {arguments.dim}, {arguments.device}, forward + backward")
    for num_nodes in arguments.nodes:
        peaks, times = compare(arguments.batch, num_nodes, arguments.dim, arguments.device)
        print(
            f"nodes {num_nodes:4d}: plain {peaks[0] / MIB:8.1f} MiB {1000 * times[0]:8.1f} ms, "
            f"ours {peaks[1] / MIB:8.1f} MiB {1000 * times[1]:8.1f} ms, "
            f"memory ratio {peaks[0] / peaks[1]:.1f}"
        )


if __name__ == "__main__":
    main()
