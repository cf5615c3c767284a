"""Batches of clips: true lengths of both crops, and what goes wrong travels as words."""

import multiprocessing
import pickle

import pytest
import torch
from golden_names import close
from toys import plan, toy_experiment, toy_manifest

from amsdf.audio.files.reading import AudioError
from amsdf.config import Clip
from amsdf.data.augmentations import Augmentation
from amsdf.data.augmentations.compose import Chain
from amsdf.data.dataset import Clips, TrainingTransform, clip_loader
from amsdf.detector.detector import Detector
from amsdf.training.step import Objective
from amsdf.training.trainer import train

WHOLE = Clip(samples=None)
PAIRED = {
    "views": {"audio": None},
    "loss": {"name": "weighted-sum", "parts": [{"name": "oc-softmax"}, {"name": "bonafide-pairs"}]},
    "clip": {"samples": None},
}


class Fails(Augmentation):
    """Cannot do it."""

    def apply(self, waveform, rng):
        raise AudioError("noise.wav", "no such file")


class Empties(Augmentation):
    """Leaves nothing."""

    def apply(self, waveform, rng):
        return waveform[:0]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("augment", "words"),
    [
        (Chain([Fails()]), "augmentation Chain: augmentation Fails: noise.wav: no such file"),
        (Empties(), "the augmentation left no sample of it"),
    ],
)
def test_a_failing_augmentation_is_one_line_whoever_loads(tmp_path, augment, words, workers):
    """Trap: exit 0 after failure. It names the clip, and the augmentation."""
    given = plan(tmp_path, "run", augment=augment, workers=workers)
    with pytest.raises(ValueError, match=rf"^training stopped: .*\.wav: {words}; clips that"):
        train(toy_experiment(), given)


def test_a_clip_is_cropped_anew_in_every_epoch(tmp_path):
    manifest = toy_manifest(tmp_path / "toy", "train", clips=1)
    clips, again = (Clips(manifest, Clip(samples=8000), TrainingTransform(1)) for _ in range(2))
    crops = [clips[epoch, 0].waveform.tobytes() for epoch in range(4)]
    assert len(set(crops)) == 4
    assert crops == [again[epoch, 0].waveform.tobytes() for epoch in range(4)]


def test_a_number_of_draws_comes_again_in_turn_whatever_the_seed(tmp_path):
    """With 3 draws, epoch 3 is epoch 0 again; a clip drawn twice in an epoch goes one further."""
    manifest = toy_manifest(tmp_path / "toy", "train", clips=1)
    clips, other = (
        Clips(manifest, Clip(samples=8000), TrainingTransform(seed, draws=3)) for seed in (1, 2)
    )
    crops = [clips[epoch, 0].waveform.tobytes() for epoch in range(7)]
    assert len(set(crops)) == 3 and crops == [crops[epoch % 3] for epoch in range(7)]
    assert crops == [other[epoch, 0].waveform.tobytes() for epoch in range(7)]
    again = clips[0, len(clips)].waveform.tobytes()
    assert again == crops[1]


def test_clips_are_the_same_where_a_system_cannot_fork(tmp_path, monkeypatch):
    """Windows has `spawn` only: the clips and all augmentations go to a worker by pickle."""
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    parts = ({"name": "noise", "colour": "white"}, {"name": "rawboost", "algorithm": 5})
    augment = Chain([{"name": "one-of", "of": list(parts)}, {"name": "codec", "codecs": ["mp3"]}])
    manifest = toy_manifest(tmp_path / "toy", "train", clips=2)
    clips = Clips(manifest, Clip(samples=8000), TrainingTransform(1, augment))
    loader = clip_loader(clips, [[(0, row) for row in range(4)]], workers=1)
    assert loader.multiprocessing_context.get_start_method() == "spawn"
    (batch,) = loader
    (expected,) = clip_loader(clips, [[(0, row) for row in range(4)]])
    assert not batch.failed and torch.equal(batch.waveform, expected.waveform)


def test_an_audio_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(AudioError("a.wav", "is silent")))
    assert str(error) == "a.wav: is silent" and error.reason == "is silent"


def test_second_crops_carry_their_lengths(tmp_path):
    """Trap: mask lost before pooling. A pair alone has the embedding it has in a batch."""
    manifest = toy_manifest(tmp_path / "toy", "train")
    clips = Clips(manifest, WHOLE, TrainingTransform(1, None, pairs=True))
    (batch,) = clip_loader(clips, [[(0, row) for row in range(4)]])
    sizes = [len(clips[0, row].pair) for row in range(4)]
    assert batch.pair_lengths.tolist() == sizes and len(set(sizes)) == 4
    assert batch.to(torch.device("meta")).pair_lengths.device.type == "meta"


def test_padding_of_second_crops_changes_no_loss(tmp_path):
    torch.manual_seed(0)
    objective = Objective(Detector.build(toy_experiment(**PAIRED))).eval()
    manifest = toy_manifest(tmp_path / "toy", "train")
    seen = []
    objective.detector.loss.forward = lambda embeddings, labels, pairs: seen.append(pairs)
    clips = Clips(manifest, WHOLE, TrainingTransform(1, None, pairs=True))
    for keys in ([[(0, row) for row in range(4)]], [[(0, row)] for row in range(4)]):
        for batch in clip_loader(clips, keys):
            with torch.no_grad():
                objective(batch)
    close(torch.cat(seen[1:]), seen[0])
