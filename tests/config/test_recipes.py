"""Shipped recipes: parsed, built, and trained for a few steps at toy size."""

import pytest
import torch
from accelerate import Accelerator
from command_line import refused
from golden_names import close

from amsdf import registry
from amsdf.config import Experiment, merge, read_recipe, recipe_names
from amsdf.data.augmentations.compose import build_augmentations
from amsdf.data.augmentations.contract import build_parts
from amsdf.data.augmentations.noise import AddNoise
from amsdf.data.augmentations.rawboost import RawBoost
from amsdf.data.augmentations.timing import Speed
from amsdf.data.dataset import Batch
from amsdf.detector.detector import Detector
from amsdf.testing import REPEATED, waveforms
from amsdf.training.optimizers import Schedule, build_optimizers
from amsdf.training.step import Stepper

XLSR = {
    "hidden": 32,
    "layers_count": 2,
    "heads": 2,
    "ffn": 32,
    "conv_dims": [8] * 7,
    "pos_kernel": 8,
    "pos_groups": 2,
}
SINC = {"channels": [4, 4, 4, 4, 4, 64]}
ACRNN = {"channels": 4, "later_channels": 4, "hidden": 16}
SHORT = {"clip": {"samples": 8_000}}
MFCC = {"views": {"audio": {"coefficients": 16}}, **SHORT}
WHISPER = {
    "views": {
        "whisper": {"layers_count": 1, "width": 48, "heads": 2},
        "mfcc": {"coefficients": 16, "frames": 300},
    },
    "clip": {"samples": 48_000},
}
AMSDF = {"views": {"audio": SINC, "emotion": ACRNN, "text": XLSR}}
TEXT = {"views": {"text": XLSR}}
#: What makes each recipe small; everything else stays as shipped.
TOY = {
    "aasist": SHORT,
    "aasist-l": SHORT,
    "amsdf": AMSDF,
    "amsdf-oc": {**AMSDF, **SHORT},
    "demo": {},
    "ebm": {**TEXT, "clip": {"samples": 8_000, "pair_samples": 6_000}},
    "hm-conformer": SHORT,
    "lfcc-resnet18-oc": {"views": {"audio": {"frames": 50}}, **SHORT},
    "lfcc-resnet18-softmax": {"views": {"audio": {"frames": 50}}, **SHORT},
    "mfcc-resnet18-oc": MFCC,
    "mfcc-resnet18-softmax": MFCC,
    "mfcc-whisper-mesonet-oc": WHISPER,
    "mfcc-whisper-mesonet-softmax": WHISPER,
    "small": {
        "views": {"text": {"layers_count": 1, "width": 16, "heads": 2}},
        "clip": {"samples": 8_000},
    },
    "ssl-aasist": {**TEXT, **SHORT},
    "xlsr-acs": {**TEXT, **SHORT},
}
LABELS = torch.tensor([1, 0])


def shipped(name: str) -> Experiment:
    return Experiment.parse(read_recipe(name))


def toy(name: str) -> tuple[Experiment, Detector]:
    experiment = Experiment.parse(merge(read_recipe(name), TOY[name]))
    torch.manual_seed(0)
    return experiment, Detector.build(experiment)


def batch(experiment: Experiment, seed: int = 0) -> Batch:
    clip = experiment.clip
    pairs = waveforms(2, clip.pair_samples, seed + 50) if clip.pair_samples else None
    return Batch(waveforms(2, clip.samples, seed), LABELS, [0, 1], None, pairs, [])


def test_every_recipe_is_tested():
    assert recipe_names() == sorted(TOY)


@pytest.mark.parametrize("name", recipe_names())
def test_recipe_is_complete(name):
    """It bears its own name, its corpora exist, and its YAML is read back as it was."""
    experiment = shipped(name)
    assert experiment.name == name
    assert Experiment.from_yaml(experiment.to_yaml()) == experiment
    build_augmentations(experiment.augment, {})


@pytest.mark.parametrize("name", sorted(set(recipe_names()) - {"demo", "small"}))
def test_corpora_exist(name):
    experiment = shipped(name)
    assert experiment.train.corpora and experiment.dev
    for reference in [*experiment.train.corpora, *experiment.dev]:
        corpus, _, split = reference.partition("/")
        assert split in registry.load("corpora", corpus).splits


@pytest.mark.parametrize("name", recipe_names())
def test_recipe_trains_at_toy_size(name):
    experiment, detector = toy(name)
    optimizers = build_optimizers(detector, experiment.train)
    stepper = Stepper(detector.train(), optimizers, Accelerator(cpu=True))
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    for seed in range(2):
        assert stepper.step([batch(experiment, seed)]).moved, "the loss is not finite"
    changed = {k for k, v in detector.state_dict().items() if not torch.equal(v, before[k])}
    assert any(key.startswith("head.") for key in changed)
    assert any(key.startswith("loss.") for key in changed)
    with torch.no_grad():
        scores = detector.eval().score(batch(experiment).waveform)
    assert scores.shape == (2,) and torch.isfinite(scores).all()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("aasist", 297_866), ("aasist-l", 85_306), ("lfcc-resnet18-softmax", 12_450_290)],
)
def test_published_number_of_parameters(name, parameters):
    detector = Detector.build(shipped(name))
    assert sum(parameter.numel() for parameter in detector.parameters()) == parameters


#: Seed, and whether the last, smaller batch of an epoch is left out, in the authors' code.
AUTHORS = {
    "aasist": (1234, True),
    "aasist-l": (1234, True),
    "amsdf": (1234, False),
    "ebm": (1, False),
    "hm-conformer": (1, True),
    "lfcc-resnet18-oc": (688, False),
    "lfcc-resnet18-softmax": (688, False),
    "mfcc-resnet18-oc": (42, True),
    "mfcc-resnet18-softmax": (42, True),
    "mfcc-whisper-mesonet-oc": (42, True),
    "mfcc-whisper-mesonet-softmax": (42, True),
    "ssl-aasist": (1234, True),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_seed_and_last_batch_of_the_authors(name):
    recipe = read_recipe(name)
    assert (recipe["seed"], recipe["train"].get("drop_last", False)) == AUTHORS[name]


@pytest.mark.parametrize("name", ["mfcc-whisper-mesonet-softmax", "mfcc-whisper-mesonet-oc"])
def test_two_phases(name):
    """Five epochs with Whisper frozen at 1e-4, then everything at 1e-6."""
    experiment, detector = toy(name)
    optimizers = build_optimizers(detector, experiment.train)
    schedule = Schedule(optimizers, experiment.train, total_steps=20)
    whisper = list(detector.encoder("whisper").parameters())
    for epoch, trained, rate in ((0, False, 1e-4), (4, False, 1e-4), (5, True, 1e-6)):
        detector.start_epoch(epoch)
        schedule.set_step(epoch, epoch)
        assert any(parameter.requires_grad for parameter in whisper) == trained
        rates = {group["lr"] for optimizer in optimizers for group in optimizer.param_groups}
        assert max(rates) == pytest.approx(rate, rel=0.02)


def test_mesonet_has_the_published_classifier():
    """With soft-max it sees 16 values behind the 1024 that OC-Softmax sees."""
    heads = [toy(f"mfcc-whisper-mesonet-{kind}")[1].head for kind in ("softmax", "oc")]
    assert [head.embedding_dim for head in heads] == [16, 1024]


def test_hm_conformer_trains_five_losses_and_scores_with_the_last():
    """Weights and starting centres of the authors; 64 of the 320 values are those of the fusion."""
    detector = toy("hm-conformer")[1]
    loss, embeddings = detector.loss, torch.randn(3, 320)
    assert loss.weights == [0.4, 0.3, 0.2, 0.1, 0.1]
    assert [float(part.centre.detach().norm()) for part in loss.parts] == pytest.approx([8.0] * 5)
    close(loss.score(embeddings), loss.parts[4].score(embeddings[:, 256:]), REPEATED)


def test_ebm_centre_starts_as_long_as_the_authors():
    loss = toy("ebm")[1].loss
    assert float(loss.parts[0].centre.detach().norm()) == pytest.approx(12.65, abs=0.01)


def test_ebm_asks_for_pairs_and_a_centre_step():
    loss = toy("ebm")[1].loss
    assert loss.wants_pairs and loss.wants_centre_step and loss.has_score


def test_ebm_draws_codecs_as_published():
    """One of five, each at its own qualities; bit rates of AAC are four, not a range."""
    codecs, *others = build_parts(shipped("ebm").augment)
    assert codecs.p == 0.8 and [type(part) for part in others] == [RawBoost, AddNoise, Speed]
    mp3, vorbis, aac, alaw, mulaw = codecs.parts
    assert mp3.settings == {"mp3": {"quality": (0, 7)}}
    assert vorbis.settings == {"vorbis": {"quality": (1, 8)}}
    rates = [part.settings for part in aac.parts]
    assert rates == [{"aac": {"kbps": (kbps, kbps)}} for kbps in (32, 64, 96, 128)]
    assert (alaw.codecs, mulaw.codecs) == (("alaw",), ("mulaw",))


def test_frozen_encoder_does_not_move():
    experiment, detector = toy("ebm")
    before = [p.clone() for p in detector.encoder("text").parameters()]
    optimizers = build_optimizers(detector, experiment.train)
    Stepper(detector.train(), optimizers, Accelerator(cpu=True)).step([batch(experiment)])
    after = detector.encoder("text").parameters()
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_air_clip_is_750_frames():
    experiment = shipped("lfcc-resnet18-oc")
    view = experiment.views["audio"]
    arguments = {**view.args, "frames": None}
    encoder = registry.build("encoders", view.encoder, **arguments)
    assert encoder(waveforms(1, experiment.clip.samples)).shape == (1, 750, 60)


def test_recipes_are_named_by_the_help_of_a_mistake(capsys):
    line = refused(capsys, "train", "--recipe", "amsfd")
    assert all(name in line for name in recipe_names()) and "Did you mean 'amsdf'?" in line
