"""The mean of the best weights, and what goes by the dev EER."""

import json

import pytest
import torch
from toys import plan, toy_experiment, toy_manifest

from amsdf.data.batching import training_batches
from amsdf.data.dataset import Augmented, Clips, load
from amsdf.detector.detector import Detector
from amsdf.training.trainer import train


def test_the_mean_of_the_best_weights_has_statistics_and_a_dev_eer_of_its_own(tmp_path):
    """AASIST's code estimates batch statistics anew after averaging; weights are the plain mean."""
    views = {"audio": {"encoder": "lfcc", "frames": 50}, "text": None}
    experiment = toy_experiment(
        views=views, head={"name": "resnet18"}, train={"epochs": 3, "average_best": 2}
    )
    progress = train(experiment, plan(tmp_path, "run"))
    run = tmp_path / "run"
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    (mean,) = [event for event in events if event["event"] == "mean"]
    assert progress.best_eer == mean["eer"] and not (run / "averaged").exists()
    again = train(experiment, plan(tmp_path, "run", resume=True))
    assert again.best_eer == mean["eer"], "a finished run is not averaged a second time"

    detector = Detector.from_pretrained(run / "best")
    norm = next(part for part in detector.modules() if isinstance(part, torch.nn.BatchNorm2d))
    seen, given = norm.running_mean.clone(), []
    norm.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].mean((0, 2, 3))))
    manifest = toy_manifest(tmp_path / "toy", "train")
    draw = (experiment.seed, 3)  # the epoch behind the last
    clips = Clips(manifest, experiment.clip, Augmented(experiment.seed, None, False))
    for batch in load(clips, training_batches(manifest, experiment.train, draw), 0):
        with torch.no_grad():
            detector(batch.waveform)
    assert torch.allclose(seen, torch.stack(given).mean(0), atol=1e-6)


@pytest.mark.parametrize("setting", [{"average_best": 2}, {"patience": 1}, {"schedule": "plateau"}])
def test_what_goes_by_the_dev_eer_needs_a_dev_set(tmp_path, setting):
    with pytest.raises(ValueError, match=rf"train.{next(iter(setting))}.*no dev set"):
        train(toy_experiment(train=setting), plan(tmp_path, "run", dev=[]))
    assert not (tmp_path / "run").exists()
