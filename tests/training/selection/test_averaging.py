"""The mean of the best weights, and what goes by the dev EER."""

import json
from collections import defaultdict

import pytest
import torch
from golden_names import close
from torch.nn.modules.batchnorm import _BatchNorm
from toys import plan, toy_experiment, toy_manifest

from amsdf.data.batching import training_batches
from amsdf.data.dataset import Clips, TrainingTransform, clip_loader
from amsdf.detector.detector import Detector
from amsdf.training.selection.averaging import (
    BestWeights,
    MovingAverage,
    mean_of_states,
    reestimate_norms,
)
from amsdf.training.trainer import train

RESNET = {
    "views": {"audio": {"encoder": "lfcc", "frames": 50}, "text": None},
    "head": {"name": "resnet18"},
}
SINC = {"encoder": "sinc-resnet", "filters": 8, "channels": [4, 4, 4], "mask_filters": 0}
UNFROZEN = {"views": {"audio": {**SINC, "freeze": True, "unfreeze_epoch": 1}, "text": None}}


@pytest.mark.parametrize("changes", [RESNET, UNFROZEN])
def test_the_mean_of_the_best_weights_has_statistics_and_a_dev_eer_of_its_own(tmp_path, changes):
    """AASIST's code estimates batch statistics anew after averaging; weights are the plain mean.

    Every norm is estimated, also those of an encoder that was frozen in the first epochs.
    """
    experiment = toy_experiment(**changes, train={"epochs": 3, "average_best": 2})
    progress = train(experiment, plan(tmp_path, "run"))
    run = tmp_path / "run"
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    (mean,) = [event for event in events if event["event"] == "mean"]
    assert progress.best_eer == mean["eer"] and not (run / "averaged").exists()
    again = train(experiment, plan(tmp_path, "run", resume=True))
    assert again.best_eer == mean["eer"], "a finished run is not averaged a second time"

    detector = Detector.from_pretrained(run / "best")
    detector.start_epoch(2)
    detector.train()
    norms = {name: part for name, part in detector.named_modules() if isinstance(part, _BatchNorm)}
    saved = {name: norm.running_mean.clone() for name, norm in norms.items()}
    given: dict[str, list[torch.Tensor]] = defaultdict(list)
    for name, norm in norms.items():
        norm.register_forward_pre_hook(
            lambda _, inputs, name=name: given[name].append(
                inputs[0].mean([d for d in range(inputs[0].dim()) if d != 1])
            )
        )
    manifest = toy_manifest(tmp_path / "toy", "train")
    draw = (experiment.seed, 3)  # the epoch behind the last
    clips = Clips(manifest, experiment.clip, TrainingTransform(experiment.seed, None, False))
    batches = list(clip_loader(clips, training_batches(manifest, experiment.train, draw), 0))
    for batch in batches:
        with torch.no_grad():
            detector(batch.waveform)
    assert len(given) >= 4
    for name, means in given.items():
        close(torch.stack(means).mean(0), saved[name])
    reestimate_norms(detector.eval(), batches)
    for name in given:
        close(norms[name].running_mean, saved[name])


def test_a_moving_average_keeps_its_share_and_adds_the_rest():
    """A decay of 0.9 keeps nine tenths; whole numbers are counts, which are taken over."""
    detector = Detector.build(toy_experiment(views={"text": None}))
    average = MovingAverage(detector, 0.9)
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    with torch.no_grad():
        for value in detector.state_dict().values():
            value.add_(1)
    average.update(detector)
    for key, value in before.items():
        moved = 0.1 if value.is_floating_point() else 1
        close(average.state[key], value + moved)
    assert any(not value.is_floating_point() for value in before.values())


def test_the_best_weights_are_kept_and_of_equal_ones_the_later(tmp_path):
    detector = Detector.build(toy_experiment(views={"text": None}))
    best = BestWeights(tmp_path, 2, {})
    for step, eer in enumerate([0.3, 0.2, 0.2, 0.3, 0.2]):
        best.offer(detector, step, eer, detector.state_dict())
    assert best.eers == {"step-00000002": 0.2, "step-00000004": 0.2}
    assert {path.name for path in tmp_path.iterdir()} == set(best.eers)


@pytest.mark.parametrize("setting", [{"average_best": 2}, {"patience": 1}, {"schedule": "plateau"}])
def test_what_goes_by_the_dev_eer_needs_a_dev_set(tmp_path, setting):
    with pytest.raises(ValueError, match=rf"train.{next(iter(setting))}.*no dev set"):
        train(toy_experiment(train=setting), plan(tmp_path, "run", dev=[]))
    assert not (tmp_path / "run").exists()


def test_what_is_equal_in_all_weights_keeps_its_last_bits():
    """Frozen weights stay those that the cached views were made with."""
    frozen = torch.tensor([0.1, 0.2, 0.7])
    mean = mean_of_states([{"frozen": frozen, "learnt": frozen * k} for k in (1, 2, 3)])
    assert torch.equal(mean["frozen"], frozen)
    torch.testing.assert_close(mean["learnt"], 2 * frozen)
