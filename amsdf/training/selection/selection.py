"""Which weights become the result: those of the best validation, or the mean of the best few."""

from collections.abc import Iterable

import torch

from amsdf.config import Experiment
from amsdf.data.dataset import Batch
from amsdf.detector.detector import Detector
from amsdf.detector.storage import checkpoint
from amsdf.training.distributed import average_statistics, is_sharded
from amsdf.training.plan import Plan
from amsdf.training.processes import fail_together, on_main, this_process
from amsdf.training.runs.run_folder import Progress, RunFolder
from amsdf.training.selection.averaging import BestWeights, State, reestimate_norms
from amsdf.training.selection.validation import DevResult, is_as_good, validate


class Selection:
    """Tries weights on the dev sets and keeps the result in `best/`.

    Args:
        experiment: Says how several dev sets make one number, and how many weights are averaged.
        plan: The dev sets.
        folder: The run folder.
        progress: The best dev EER so far, and of which weights; changed here, saved with the run.
    """

    def __init__(self, experiment: Experiment, plan: Plan, folder: RunFolder, progress: Progress):
        self.experiment, self.plan, self.folder, self.progress = experiment, plan, folder, progress
        self.num_averaged = experiment.train.average_best
        self.best_weights = BestWeights(folder.averaged, self.num_averaged, progress.averaged)

    def validate(self, detector: Detector, state: State, other_weights: bool) -> DevResult:
        """Dev EERs of `state`, in a copy of the detector where that has other weights or shards."""
        random = torch.get_rng_state()
        if other_weights or is_sharded(detector):
            detector = self._copy(state)
        result = validate(detector, self.plan.dev, self.plan.workers, self.plan.cache)
        torch.set_rng_state(random)
        return result

    def offer(self, detector: Detector, state: State, eer: float, epoch: int) -> bool:
        """Keep weights that are as good as the best; whether they are."""
        progress = self.progress
        found_best = is_as_good(eer, progress.best_eer)
        progress.worse_in_a_row += 1
        if found_best:
            progress.best_eer, progress.best_epoch, progress.worse_in_a_row = eer, epoch, 0
            self.keep(detector, state)
        if self.num_averaged > 1:
            self.best_weights.offer(detector, progress.step, eer, state)
        return found_best

    def keep(self, detector: Detector, state: State) -> None:
        """Make `state` the result of the run."""
        on_main(lambda: checkpoint.save(detector.content(state), self.folder.best))

    def average(self, batches: Iterable[Batch]) -> DevResult:
        """Make the mean of the best weights the result, with a dev EER of its own."""
        with fail_together():
            averaged = self._copy(self.best_weights.mean())
            averaged.start_epoch(self.progress.epoch - 1)  # trained encoders are no longer frozen
            reestimate_norms(averaged, batches)
        average_statistics(averaged.buffers())
        self.folder.require_finite(averaged.state_dict(), self.progress.step)
        self.keep(averaged, averaged.state_dict())

        result = validate(averaged, self.plan.dev, self.plan.workers, self.plan.cache)
        self.progress.best_eer, self.progress.best_epoch = result.selected, -1  # of no epoch
        self.progress.averaged.clear()
        return result

    def _copy(self, state: State) -> Detector:
        """A detector with these weights, where training is done."""
        detector = Detector.build(self.experiment, self.plan.trust_remote_code)
        detector.load_state_dict(state)
        return detector.to(this_process().device)
