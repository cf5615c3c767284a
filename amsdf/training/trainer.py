"""The training loop: waveform -> views -> embedding -> loss; each epoch dev scores -> EER.

On `accelerate`, so one code runs on a CPU, a GPU, or several processes and machines. Everything
that decides the next step is in `last/training.pt`, and every draw comes from (seed, epoch, row) or
from torch's generator, saved with it: a killed run resumes to the bits of one that was not, given
the same number of threads on the same kind of processor. Both decide in which order numbers are
added; `environment.json` records them.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor
from tqdm import tqdm

from amsdf.config import Experiment
from amsdf.data.dataset import Batch, TrainingTransform
from amsdf.data.manifest import Manifest
from amsdf.detector import checkpoint
from amsdf.detector.detector import Detector
from amsdf.training.averaging import BestWeights, MovingAverage, reestimate_norms
from amsdf.training.batches import TrainingData, in_groups
from amsdf.training.distributed import (
    average_statistics,
    fail_together,
    gather_shards,
    is_sharded,
    on_main,
    open_accelerator,
    raise_together,
)
from amsdf.training.optimizers import Schedule, build_optimizers
from amsdf.training.plan import Plan
from amsdf.training.resuming import Resumable
from amsdf.training.run_folder import Progress, Run
from amsdf.training.step import Stepper
from amsdf.training.validation import DevResult, is_as_good, refuse_what_needs_dev, validate

NEVER = 1 << 60


def train(experiment: Experiment, plan: Plan) -> Progress:
    """Train a detector into `plan.folder`; its `best/` is the result."""
    accelerator = open_accelerator(experiment.train.precision, plan.trackers, plan.folder)
    return Trainer(experiment, plan, accelerator).run_all()


class Trainer:
    """One training run."""

    def __init__(self, experiment: Experiment, plan: Plan, accelerator: Accelerator):
        self.experiment, self.plan, self.accelerator = experiment, plan, accelerator
        self.settings = experiment.train
        self.run = Run(plan.folder)
        self.progress = Progress()
        self._check_before_start()
        torch.manual_seed(experiment.seed)
        self.detector = Detector.build(experiment, plan.trust_remote_code)
        if experiment.clip.samples is None:
            self.detector.require_lengths()
        self.detector.load_pretrained(plan.find_pretrained)
        optimizers = build_optimizers(self.detector, self.settings)
        augmented = TrainingTransform(experiment.seed, plan.augment, self.detector.loss.wants_pairs)
        self.data = TrainingData(experiment, plan.train, augmented, plan.workers)
        self.schedule = Schedule(optimizers, self.settings, self.data.total_steps())
        state = self._open_run()
        self.detector.start_epoch(self.settings.epochs)  # what is unfrozen later is shared as well
        self.stepper = Stepper(self.detector, optimizers, accelerator)
        if accelerator.process_index:  # dropout that differs; the first draws as it would alone
            torch.manual_seed(experiment.seed + accelerator.process_index)
        decay = self.settings.ema
        self.average = MovingAverage(self.detector, decay) if decay else None
        self.resumable = Resumable(
            accelerator, self.stepper.optimizers, self.schedule, self.average
        )
        if state:
            self.progress = self.resumable.load(state)

    @property
    def _data(self) -> list[Manifest]:
        return [self.plan.train, *self.plan.dev]

    def _check_before_start(self) -> None:
        for manifest in self._data:
            manifest.require_both_classes()
        if not self.plan.dev:
            refuse_what_needs_dev(self.settings)
        resumed = partial(self.run.check_resumable, self.experiment, self._data)
        on_main(resumed if self.plan.resume else self.run.check_new)

    def _open_run(self) -> dict[str, Any] | None:
        """Start the run folder, once all is built; or the state and weights of the run there is."""
        state = None
        if self.plan.resume:
            state = self.run.restore(self.detector)
            on_main(lambda: self.run.cut_log(state["log_lines"] if state else 0))
        else:
            on_main(lambda: self.run.create(self.experiment, self._data))
        if self.plan.trackers:
            self.accelerator.init_trackers("amsdf")
        return state

    def run_all(self) -> Progress:
        """All epochs that are left."""
        while not self.progress.finished:
            self._epoch()
        if self.progress.averaged:
            self._finish_mean()
        if self.settings.average_best > 1:
            self._best_weights.remove()
        for tracker in self.accelerator.trackers if self.plan.trackers else []:
            tracker.finish()  # not `end_training`, which would part the processes too
        return self.progress

    def _epoch(self) -> None:
        progress, started = self.progress, time.time()
        self.detector.start_epoch(progress.epoch)
        if progress.batch == 0:  # not again after a resume in mid-epoch
            self.detector.loss.start_epoch(progress.epoch)
        self.detector.train()
        for group in self._groups():
            moved = self._step(group)
            progress.batch += len(group)
            if not moved:
                continue
            if progress.step % (self.settings.validate_steps or NEVER) == 0:
                self._validate()
                self.detector.train()
            if self._is_last_step():
                break
            if progress.step % (self.settings.save_steps or NEVER) == 0:
                self._save()
        self._end_epoch(time.time() - started)

    def _is_last_step(self) -> bool:
        """Whether training ends here, be it in the middle of an epoch."""
        progress, patience = self.progress, self.settings.patience or NEVER
        enough = progress.step >= (self.settings.max_steps or NEVER)
        return enough or progress.without_gain >= patience

    def _groups(self) -> Iterator[list[Batch]]:
        """The rest of the epoch, in what each step takes."""
        batches = self.data.load(self.progress.epoch, self.progress.batch)
        shown = tqdm(
            batches,
            desc=f"epoch {self.progress.epoch + 1}/{self.settings.epochs}",
            initial=self.progress.batch,
            total=self.progress.batch + len(batches),
            disable=not (self.plan.progress and self.accelerator.is_main_process),
        )
        return in_groups(shown, self.settings.accumulate)

    def _step(self, group: list[Batch]) -> bool:
        """Whether the weights have moved; a group that is skipped counts in nothing else."""
        progress = self.progress
        self.schedule.set_step(progress.step, progress.epoch)
        unreadable = [reason for batch in group for _, reason in batch.failed]
        raise_together(f"training stopped: {unreadable[0]}" if unreadable else "")

        result = self.stepper.step(group)
        progress.skipped += result.skipped
        if not result.finite:
            self._count_nonfinite(group)
        if not result.moved:
            return False

        progress.step += 1
        progress.loss_sum += result.loss
        progress.loss_count += 1
        if self.average:
            self.average.update(self.detector)
        if self.plan.trackers:
            rate = self.schedule.groups[0]["lr"]
            self.accelerator.log({"loss": result.loss, "learning_rate": rate}, step=progress.step)
        return True

    def _count_nonfinite(self, group: list[Batch]) -> None:
        self.progress.nonfinite += 1
        if self.progress.nonfinite > self.settings.nonfinite_tolerance:
            rows = gather_object([row for batch in group for row in batch.rows])
            clips = ", ".join(self.plan.train.table["utt"][rows[:3]])
            raise ValueError(
                f"training stopped: the loss or its gradient is not finite at step "
                f"{self.progress.step + 1} (clips {clips} …); {self._remedy()}"
            )

    def _remedy(self) -> str:
        kept = f"; what was best so far is in {self.run.best}" if self.run.best.exists() else ""
        return f"lower train.learning_rate or set train.clip_norm{kept}"

    def _end_epoch(self, seconds: float) -> None:
        progress = self.progress
        mean = progress.loss_sum / progress.loss_count if progress.loss_count else None
        counts = {"epoch": progress.epoch + 1, "step": progress.step, "skipped": progress.skipped}
        self._log("epoch", **counts, loss=mean, seconds=seconds)
        progress.epoch, progress.batch = progress.epoch + 1, 0
        progress.loss_sum, progress.loss_count = 0.0, 0
        progress.finished = progress.epoch >= self.settings.epochs or self._is_last_step()
        self._validate()
        progress.finished = progress.finished or self._is_last_step()
        self._save()

    def _validate(self) -> None:
        """Dev EER; the best weights so far go to `best/`. Without dev sets the newest do."""
        progress = self.progress
        epoch = progress.epoch + (progress.batch > 0)  # from 1, the unfinished one counted
        skipped = epoch <= self.settings.skip_validation and not progress.finished
        if skipped or progress.validated == progress.step:
            return
        progress.validated = progress.step
        self._average_statistics()
        state = gather_shards(self.average.state if self.average else self.detector.state_dict())
        self._require_finite(state)
        if not self.plan.dev:
            self._keep_best(state)
            return
        result = self._score_dev(state)
        eer = result.selected
        self._log("dev", epoch=epoch, step=progress.step, eer=eer, corpora=result.eers)
        if self.plan.trackers:
            self.accelerator.log({"dev_eer": eer}, step=progress.step)
        found_best = is_as_good(eer, progress.best_eer)
        self.schedule.validated(found_best)
        progress.without_gain += 1
        if found_best:
            progress.best_eer, progress.best_epoch, progress.without_gain = eer, epoch, 0
            self._keep_best(state)
        if self.settings.average_best > 1:
            self._best_weights.offer(self.detector, progress.step, eer, state)

    def _require_finite(self, state: dict[str, Tensor]) -> None:
        for key, value in state.items():
            if not value.isfinite().all():
                raise ValueError(
                    f"training stopped: {key} is not finite at step {self.progress.step}; "
                    f"{self._remedy()}"
                )

    def _score_dev(self, state: dict[str, Tensor]) -> DevResult:
        """Dev scores of these weights; a copy has them where the detector's own are others."""
        random = torch.get_rng_state()
        scored = self.detector
        if self.average or is_sharded(self.detector):
            scored = Detector.build(self.experiment, self.plan.trust_remote_code)
            scored.load_state_dict(state)
            scored.to(self.accelerator.device)
        result = validate(scored, self.plan.dev, self.plan.workers)
        torch.set_rng_state(random)
        return result

    def _keep_best(self, state: dict[str, Tensor]) -> None:
        on_main(lambda: checkpoint.save(self.detector.content(state), self.run.best))

    @property
    def _best_weights(self) -> BestWeights:
        return BestWeights(self.run.averaged, self.settings.average_best, self.progress.averaged)

    def _finish_mean(self) -> None:
        """The mean of the best weights becomes the result, with a dev EER of its own."""
        averaged = Detector.build(self.experiment, self.plan.trust_remote_code)
        with fail_together():
            averaged.load_state_dict(self._best_weights.mean())
            averaged.to(self.accelerator.device)
            averaged.start_epoch(self.progress.epoch - 1)  # trained encoders are no longer frozen
            reestimate_norms(averaged, self.data.load(self.progress.epoch))
        average_statistics(averaged.buffers())
        self._require_finite(averaged.state_dict())
        self._keep_best(averaged.state_dict())
        result = validate(averaged, self.plan.dev, self.plan.workers)
        self._log("mean", step=self.progress.step, eer=result.selected, corpora=result.eers)
        self.progress.best_eer, self.progress.best_epoch = result.selected, -1  # of no epoch
        self.progress.averaged = {}
        self._save()

    def _log(self, event: str, **values: Any) -> None:
        if self.accelerator.is_main_process:
            self.run.log(event, **values)

    def _average_statistics(self) -> None:
        """One set of running statistics for all processes, before they are used or saved."""
        buffers = dict(self.detector.named_buffers())
        average_statistics(buffers.values())
        if self.average:
            average_statistics(
                self.average.state[key] for key in buffers if key in self.average.state
            )

    def _save(self) -> None:
        self._average_statistics()
        weights, state = (
            gather_shards(self.detector.state_dict()),
            self.resumable.state(self.progress),
        )
        self._require_finite(weights)
        on_main(lambda: self.run.save_last(self.detector, weights, state))
