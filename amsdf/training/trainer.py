"""The training loop: waveform -> views -> embedding -> loss; each epoch dev scores -> EER.

On `accelerate`, so one code runs on a CPU, a GPU, or several processes and machines. Everything
that decides the next step is in `last/training.pt`, and every draw comes from (seed, epoch, row) or
from torch's generator, saved with it: a killed run resumes to the bits of one that was not, given
the same number of threads on the same kind of processor. Both decide in which order numbers are
added; `environment.json` records them.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator

from amsdf.config import Experiment
from amsdf.data.dataset import Batch
from amsdf.data.manifest import Manifest
from amsdf.data.waiting import Waits, waited
from amsdf.training.checks import check_data
from amsdf.training.clips.bad_clips import BadClips
from amsdf.training.clips.batches import TrainingData, in_groups
from amsdf.training.clips.kept_clips import keep_crops, transform_of
from amsdf.training.distributed import average_statistics, gather_shards, open_accelerator
from amsdf.training.epoch_bar import EpochBar
from amsdf.training.optimizers import Schedule, build_optimizers
from amsdf.training.plan import Plan, new_detector
from amsdf.training.processes import gather, on_main, raise_together, sum_over_processes
from amsdf.training.runs.resuming import Resumable
from amsdf.training.runs.run_folder import FAILED, Progress, RunFolder
from amsdf.training.selection.averaging import MovingAverage
from amsdf.training.selection.selection import Selection
from amsdf.training.step import Stepper

NEVER = 1 << 60


def train(experiment: Experiment, plan: Plan) -> Progress:
    """Train a detector into `plan.folder`; its `best/` is the result."""
    accelerator = open_accelerator(experiment.train.precision, plan.trackers, plan.folder)
    return Trainer(experiment, plan, accelerator).run_all()


class Trainer:
    """One training run."""

    def __init__(self, experiment: Experiment, plan: Plan, accelerator: Accelerator):
        self.experiment, self.accelerator = experiment, accelerator
        self.settings = experiment.train
        self.folder = RunFolder(plan.folder)
        if not plan.resume:
            on_main(self.folder.check_new)
        tolerance, num_clips = self.settings.bad_clip_tolerance, len(plan.train)
        self.bad_clips = BadClips(plan.folder / FAILED, tolerance, num_clips)
        self.plan = check_data(plan, self.settings, self.bad_clips)
        if plan.resume:
            on_main(partial(self.folder.check_resumable, experiment, self._manifests))

        self.detector = new_detector(experiment, plan.find_pretrained, plan.trust_remote_code)
        optimizers = build_optimizers(self.detector, self.settings)
        transform = transform_of(self.detector, plan)
        self.data = TrainingData(experiment, self.plan.train, transform, plan.workers)
        self.schedule = Schedule(optimizers, self.settings, self.data.total_steps())

        state = self._open_folder()
        self.detector.to(accelerator.device).start_epoch(self.progress.epoch)
        self.data = replace(self.data, kept=keep_crops(self.detector, self.plan))
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
            self.resumable.load(state)
        self.selection = Selection(experiment, self.plan, self.folder, self.progress)
        self.clock = time.monotonic()

    @property
    def _manifests(self) -> list[Manifest]:
        return [self.plan.train, *self.plan.dev]

    def _open_folder(self) -> dict[str, Any] | None:
        """Start the run folder, once all is built; or the state and weights of the run there is."""
        state = self.folder.restore(self.detector) if self.plan.resume else None
        self.progress = Progress(**state["progress"]) if state else Progress()
        self.bad_clips.found |= self.progress.bad_clips
        self.progress.bad_clips = self.bad_clips.found
        if self.plan.resume:
            self._lengthen()
            on_main(lambda: self.folder.truncate_log(state["log_lines"] if state else 0))
            on_main(lambda: self.folder.write_experiment(self.experiment))
        else:
            on_main(lambda: self.folder.create(self.experiment, self._manifests))
        on_main(self.bad_clips.write)
        if self.plan.trackers:
            self.accelerator.init_trackers("amsdf")
        return state

    def _lengthen(self) -> None:
        """A finished run that is given more epochs goes on."""
        progress = self.progress
        if not progress.finished or progress.epoch >= self.settings.epochs:
            return
        if self.settings.average_best > 1:
            raise ValueError(
                f"{self.plan.folder}: the weights of its best epochs are averaged already, so it "
                "cannot be lengthened; give another --out"
            )
        progress.finished = self._is_last_step()

    def run_all(self) -> Progress:
        """All epochs that are left."""
        while not self.progress.finished:
            self._epoch()
        if self.progress.averaged:
            self._average_best()
        self.data.close()
        if self.settings.average_best > 1:
            self.selection.best_weights.remove()
        for tracker in self.accelerator.trackers if self.plan.trackers else []:
            tracker.finish()  # not `end_training`, which would part the processes too
        return self.progress

    def _epoch(self) -> None:
        progress, started = self.progress, time.monotonic()
        self.detector.start_epoch(progress.epoch)
        if progress.batch == 0:  # not again after a resume in mid-epoch
            self.detector.loss.start_epoch(progress.epoch)
        batches = self.data.loader(progress.epoch, progress.batch)
        shown = self.plan.progress and self.accelerator.is_main_process
        num_batches = progress.batch + len(batches)
        with EpochBar(progress, self.settings.epochs, num_batches, shown) as self.bar:
            waits = Waits()
            self._steps(in_groups(waited(batches, waits), self.settings.accumulate))
            seconds = time.monotonic() - started
            self.bar.ended(waits.words(seconds))
            self._end_epoch(seconds, waits.seconds / seconds)

    def _steps(self, groups: Iterator[list[Batch]]) -> None:
        """The rest of an epoch, or of the training where that ends before."""
        progress = self.progress
        self.detector.train()
        for group in groups:
            moved = self._step(group)
            progress.batch += len(group)
            self.bar.advance(len(group))
            if not moved:
                continue
            if progress.step % (self.settings.validate_steps or NEVER) == 0:
                self._validate()
                self.detector.train()
            if self._is_last_step():
                break
            if progress.step % (self.settings.save_steps or NEVER) == 0:
                self._save()

    def _is_last_step(self) -> bool:
        """Whether training ends here, be it in the middle of an epoch."""
        progress, patience = self.progress, self.settings.patience or NEVER
        enough = progress.step >= (self.settings.max_steps or NEVER)
        return enough or progress.worse_in_a_row >= patience

    def _step(self, group: list[Batch]) -> bool:
        """Whether the weights have moved; a group that is skipped counts in nothing else."""
        progress = self.progress
        self.schedule.set_step(progress.step, progress.epoch)
        group = self._readable(group)
        if not group:
            return False

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

    def _readable(self, group: list[Batch]) -> list[Batch]:
        """The batches that have clips; what cannot be read is left out, unless it is too much."""
        failed = [clip for batch in group for clip in batch.failed]
        if not sum_over_processes(len(failed)):
            return group
        failed = gather(failed)
        self.bad_clips.add(self.plan.train, failed)
        on_main(self.bad_clips.write)
        self.bad_clips.require_tolerable(failed[0][1])

        readable = [batch for batch in group if batch.rows]
        uneven = sum_over_processes(len(readable)) != len(readable) * self.accelerator.num_processes
        raise_together(f"training stopped: {failed[0][1]}; a process has no clip" if uneven else "")
        return readable

    def _count_nonfinite(self, group: list[Batch]) -> None:
        self.progress.nonfinite += 1
        if self.progress.nonfinite > self.settings.nonfinite_tolerance:
            rows = gather([row for batch in group for row in batch.rows])
            clips = ", ".join(self.plan.train.table["utt"][rows[:3]])
            raise ValueError(
                f"training stopped: the loss or its gradient is not finite at step "
                f"{self.progress.step + 1} (clips {clips} …); {self.folder.remedy}"
            )

    def _end_epoch(self, seconds: float, waiting: float) -> None:
        progress = self.progress
        counts = {"epoch": progress.epoch + 1, "step": progress.step, "skipped": progress.skipped}
        times = {"seconds": seconds, "waiting": round(waiting, 3)}
        self._log("epoch", **counts, loss=progress.mean_loss, **times)
        progress.epoch, progress.batch = progress.epoch + 1, 0
        progress.finished = progress.epoch >= self.settings.epochs or self._is_last_step()
        self._validate()
        progress.finished = progress.finished or self._is_last_step() or self._is_hopeless()
        progress.loss_sum, progress.loss_count = 0.0, 0
        self._save()

    def _is_hopeless(self) -> bool:
        progress, ask = self.progress, self.plan.is_hopeless
        known = math.isfinite(progress.best_eer)
        return bool(ask and known and ask(progress.epoch, progress.best_eer))

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
        self.folder.require_finite(state, progress.step)
        if not self.plan.dev:
            self.selection.keep(self.detector, state)
            return

        result = self.selection.validate(self.detector, state, bool(self.average))
        eer = result.selected
        self._log("dev", epoch=epoch, step=progress.step, eer=eer, corpora=result.eers)
        if self.plan.trackers:
            self.accelerator.log({"dev_eer": eer}, step=progress.step)
        self.schedule.validated(self.selection.offer(self.detector, state, eer, epoch))
        self.bar.validated(eer)

    def _average_best(self) -> None:
        """The mean of the best weights becomes the result."""
        result = self.selection.average(self.data.loader(self.progress.epoch))
        self._log("mean", step=self.progress.step, eer=result.selected, corpora=result.eers)
        self._save()

    def _log(self, event: str, **values: Any) -> None:
        if self.accelerator.is_main_process:
            self.folder.log(event, **values)

    def _average_statistics(self) -> None:
        """One set of running statistics for all processes, before they are used or saved."""
        buffers = dict(self.detector.named_buffers())
        average_statistics(buffers.values())
        if self.average:
            average_statistics(
                self.average.state[key] for key in buffers if key in self.average.state
            )

    def _save(self) -> None:
        now = time.monotonic()
        self.progress.seconds, self.clock = self.progress.seconds + now - self.clock, now
        self._average_statistics()
        weights = gather_shards(self.detector.state_dict())
        state = self.resumable.state(self.progress)
        self.folder.require_finite(weights, self.progress.step)
        on_main(lambda: self.folder.save_last(self.detector, weights, state))
