"""What an experiment would be: its YAML, shapes, parameters and memory, without opening audio."""

import torch
from torch import Tensor, nn

from amsdf.config import Experiment
from amsdf.contracts import SAMPLE_RATE
from amsdf.detector.detector import Detector


def describe(experiment: Experiment, trust_remote_code: bool = False) -> str:
    """The text of `--dry-run`."""
    detector = Detector.build(experiment, trust_remote_code).eval()
    samples = experiment.clip.samples or 4 * SAMPLE_RATE
    with torch.no_grad(), _OutputCount(detector) as counted:
        views, _ = detector.views(torch.zeros(1, samples))
        embedding = detector.head(views)
    lines = [experiment.to_yaml(), f"{'part':<28}{'output':<24}{'trainable':>14}{'frozen':>14}"]
    for name, view in views.items():
        part = f"view {name} ({experiment.views[name].encoder})"
        lines.append(_line(part, view, detector.encoder(name)))
    lines.append(_line(f"head {experiment.head.name}", embedding, detector.head))
    lines.append(_line(f"loss {experiment.loss.name}", None, detector.loss))
    lines.append(_line("all", None, detector))
    return "\n".join([*lines, _memory(experiment, detector, counted.values)])


def _line(part: str, output: Tensor | None, module: nn.Module) -> str:
    shape = "" if output is None else str(("B", *output.shape[1:])).replace("'", "")
    trainable, frozen = count_parameters(module)
    return f"{part:<28}{shape:<24}{trainable:>14,}{frozen:>14,}"


def count_parameters(module: nn.Module) -> tuple[int, int]:
    """Trainable and frozen parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in module.parameters()]
    trainable = sum(size for size, learns in sizes if learns)
    return trainable, sum(size for size, _ in sizes) - trainable


def _memory(experiment: Experiment, detector: Detector, values: int) -> str:
    """Weights, gradients and two moments in fp32, and what a batch keeps for the backward pass."""
    trainable, frozen = count_parameters(detector)
    states = 1 if experiment.train.optimizer == "sgd" else 3
    fixed = 4 * (trainable * (1 + states) + frozen)
    batch = 4 * values * experiment.train.batch_size
    return (
        f"memory: about {_gib(fixed)} for weights and optimiser, {_gib(batch)} for the activations "
        f"of a batch of {experiment.train.batch_size}"
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"


class _OutputCount:
    """Counts the values that the leaf modules put out in a forward pass."""

    def __init__(self, module: nn.Module):
        self.values = 0
        self.leaves = [part for part in module.modules() if not list(part.children())]

    def __enter__(self) -> "_OutputCount":
        self.hooks = [leaf.register_forward_hook(self._count) for leaf in self.leaves]
        return self

    def _count(self, _module: nn.Module, _given: object, output: object) -> None:
        if isinstance(output, Tensor):
            self.values += output.numel()

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()
