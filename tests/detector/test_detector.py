"""The whole detector: same clip same score, frozen means frozen, saved and opened exactly."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from golden_names import close
from torch import Tensor, nn
from toys import TOY

from amsdf import Detector, Encoder, Experiment, Head, registry
from amsdf.config import merge
from amsdf.contracts import ViewShape, mask_of
from amsdf.detector import finetuning
from amsdf.detector.storage import checkpoint
from amsdf.testing import REPEATED, waveforms

SINC = {"encoder": "sinc-resnet", "channels": [4, 4, 8], "filters": 24, "mask_filters": 4}
BANDS = {**SINC, "output": "bands", "mask_filters": 0}
CHANNELS = {"channels": 4, "later_channels": 4}
ACRNN = {"encoder": "acrnn", "frames": 98, **CHANNELS, "hidden": 16, "lstm": 8}
XLSR = TOY["views"]["text"]
LFCC = {"encoder": "lfcc", "coefficients": 12}
WHISPER = {"encoder": "whisper", "width": 16, "heads": 2, "layers_count": 1, "positions": 100}
GRAPHS = {"name": "graph-fusion", "width": 16, "nodes": 20}
#: Views, head and loss of small relatives of the published systems.
COMBINATIONS: dict[str, dict[str, Any]] = {
    "amsdf": {
        "views": {"audio": SINC, "emotion": ACRNN, "text": XLSR},
        "head": GRAPHS,
        "loss": "oc-softmax",
    },
    "two-views": {"views": {"audio": SINC, "text": XLSR}, "head": GRAPHS, "loss": "acs"},
    "aasist": {"views": {"audio": BANDS}, "head": "aasist", "loss": "cross-entropy"},
    "ssl-aasist": {"views": {"text": XLSR}, "head": "ssl-aasist", "loss": "cross-entropy"},
    "ebm": {
        "views": {"text": {**XLSR, "layer": "all", "freeze": True}},
        "head": {"name": "layer-attention", "width": 16},
        "loss": "eoc-softmax",
    },
    "lfcc-resnet": {"views": {"audio": LFCC}, "head": "resnet18", "loss": "am-softmax"},
    "conformer": {
        "views": {"audio": LFCC},
        "head": {"name": "hm-conformer", "width": 32},
        "loss": "samo",
    },
    "whisper": {"views": {"a": LFCC, "b": WHISPER}, "head": "pool-linear", "loss": "p2sgrad"},
}
MESO_VIEWS = {"a": {**LFCC, "coefficients": 16}, "b": {**WHISPER, "width": 48}}  # both 48 wide
NO_MASKS = {"meso": {"views": MESO_VIEWS, "head": "meso-inception", "loss": "oc-softmax"}}
ALL = COMBINATIONS | NO_MASKS
SECOND = 16_000
SCORES = 5e-5  # float32 over twenty layers, then a small difference of two cosines


def loss_value(detector: Detector, embeddings: Tensor, labels: Tensor) -> Tensor:
    pairs = (embeddings,) if detector.loss.wants_pairs else ()
    return detector.loss(embeddings, labels, *pairs)


def detector_of(parts: dict[str, Any], seed: int = 0) -> Detector:
    torch.manual_seed(seed)
    detector = Detector.build(Experiment.parse(parts))
    for module in detector.modules():  # statistics that a mistake would show
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.track_running_stats:
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    embeddings = torch.randn(4, detector.head.embedding_dim)
    with torch.enable_grad():  # a training step starts a moving centre
        loss_value(detector.train(), embeddings, torch.tensor([1, 0, 1, 0]))
    return detector.eval()


def unlike(first: Tensor, second: Tensor) -> bool:
    return not torch.allclose(first, second, atol=1e-4)


# The same clip has the same score


@pytest.mark.parametrize("name", list(ALL))
@torch.no_grad()
def test_fitted_clips_score_as_they_do_alone(name: str) -> None:
    detector = detector_of(ALL[name])
    clips = waveforms(4, 8000)
    scores = detector.score(clips)
    assert scores.shape == (4,) and scores.dtype == torch.float32 and len(scores.unique()) == 4
    alone = torch.cat([detector.score(clip[None]) for clip in clips])
    close(scores, alone, SCORES)
    close(detector.score(clips.flip(0)).flip(0), scores, SCORES)
    close(detector.score(clips), scores, REPEATED)


@pytest.mark.parametrize("name", list(COMBINATIONS))
@torch.no_grad()
def test_whole_utterances_score_as_they_do_alone(name: str) -> None:
    """Trap 'mask lost before pooling': alone, in any batch, beside any longer clip."""
    detector = detector_of(COMBINATIONS[name])
    lengths = torch.tensor([SECOND // 10, 7777, SECOND, 3 * SECOND])
    padded = waveforms(4, 3 * SECOND) * mask_of(lengths, 3 * SECOND)
    alone = torch.cat(
        [
            detector.score_unchecked(clip[None, :length], torch.tensor([length]))
            for clip, length in zip(padded, lengths.tolist(), strict=True)
        ]
    )
    assert len(alone.unique()) == 4
    for rows in ([0, 1, 2, 3], [2, 0], [3, 1, 1], [1, 2]):
        longest = int(lengths[rows].max())
        scores = detector.score_unchecked(padded[rows, :longest], lengths[rows])
        close(scores, alone[rows], SCORES)


@pytest.mark.parametrize("name", ["amsdf", "ssl-aasist", "lfcc-resnet"])
@torch.no_grad()
def test_without_lengths_padding_does_matter(name: str) -> None:
    """The tests above can fail: silence taken for speech moves the score."""
    detector = detector_of(COMBINATIONS[name])
    clip = waveforms(1, SECOND)
    padded = torch.cat([clip, torch.zeros(1, 2 * SECOND)], dim=1)
    assert unlike(detector.score_unchecked(padded), detector.score_unchecked(clip))


class PlainEncoder(Encoder):
    """Twenty lines that know nothing of lengths."""

    def __init__(self, *, width: int = 8):
        super().__init__()
        self.dim = width
        self.linear = nn.Linear(160, width)

    def forward(self, waveform: Tensor) -> Tensor:
        frames = waveform[:, : waveform.shape[1] // 160 * 160].unflatten(1, (-1, 160))
        return self.linear(frames).tanh()


class PlainHead(Head):
    """A head that knows nothing of masks."""

    def __init__(self, views: dict[str, ViewShape], *, embedding_dim: int = 4):
        super().__init__()
        self.embedding_dim = embedding_dim
        self.linear = nn.Linear(sum(shape.dim for shape in views.values()), embedding_dim)

    def forward(self, views: dict[str, Tensor]) -> Tensor:
        return self.linear(torch.cat([view.mean(-2) for view in views.values()], dim=-1))


def plain(encoder: bool, head: bool) -> Detector:
    """A detector with foreign parts, put together without the registry."""
    detector = detector_of({"views": {"audio": LFCC}, "head": "pool-linear"})
    encoders = {"audio": PlainEncoder() if encoder else detector.encoder("audio")}
    shapes = {"audio": ViewShape(encoders["audio"].dim)}
    fusion = PlainHead(shapes) if head else registry.build("heads", "pool-linear", shapes)
    loss = registry.build("losses", "oc-softmax", fusion.embedding_dim)
    parts = {
        "views": {"audio": {"encoder": "plain-encoder"} if encoder else LFCC},
        "head": "plain-head" if head else "pool-linear",
    }
    experiment = Experiment.model_validate(parts)
    finetuning.apply(encoders["audio"], experiment.views["audio"])
    return Detector(experiment, encoders, fusion, loss).eval()


@pytest.mark.parametrize(
    ("encoder", "head", "message"),
    [
        (True, False, "encoder 'plain-encoder' takes no 'lengths', so it cannot work on whole"),
        (False, True, "head 'plain-head' takes no 'masks', so it cannot work on whole utterances"),
    ],
)
def test_simple_parts_work_on_fitted_clips_only(encoder: bool, head: bool, message: str) -> None:
    detector = plain(encoder, head)
    clips = waveforms(2, 8000)
    assert torch.isfinite(detector.score(clips)).all()
    with pytest.raises(ValueError, match=message):
        detector.score_unchecked(clips, torch.tensor([8000, 4000]))


def test_a_head_of_ours_without_masks_is_refused_too() -> None:
    detector = detector_of(NO_MASKS["meso"])
    with pytest.raises(ValueError, match="head 'meso-inception' takes no 'masks'"):
        detector.score_unchecked(waveforms(2, 8000), torch.tensor([8000, 4000]))


# Frozen means frozen


def _step(detector: Detector, clips: Tensor, labels: Tensor, rate: float) -> None:
    """One plain optimiser step."""
    detector.zero_grad()
    loss_value(detector, detector(clips), labels).backward()
    torch.optim.SGD(detector.parameter_groups(rate)).step()


@pytest.mark.any_processor
@pytest.mark.parametrize("view", [SINC, {**XLSR, "dropout": 0.3}, ACRNN], ids=str)
def test_frozen_means_frozen(view: dict[str, Any]) -> None:
    """Trap 'frozen encoder in train mode': no gradient, no mask, no dropout, no statistics."""
    parts = {"views": {"a": {**view, "freeze": True}}, "head": "pool-linear"}
    detector = detector_of(parts).train()
    assert detector.head.training
    assert not any(module.training for module in detector.encoder("a").modules())
    assert not any(parameter.requires_grad for parameter in detector.encoder("a").parameters())
    before = copy.deepcopy(detector.encoder("a").state_dict())
    clips = waveforms(3, 8000)
    close(detector.views(clips)[0]["a"], detector.views(clips)[0]["a"], REPEATED)
    for _ in range(3):
        _step(detector, clips, torch.tensor([1, 0, 1]), rate=0.1)
    after = detector.encoder("a").state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    thawed = detector_of(merge(parts, {"views": {"a": {"freeze": False}}})).train()
    assert unlike(thawed.views(clips)[0]["a"], detector.views(clips)[0]["a"])


def test_freezing_survives_every_way_to_switch_modes() -> None:
    detector = detector_of({"views": {"a": {**XLSR, "freeze": True}, "b": SINC}, "head": GRAPHS})
    for switch in (detector.train, detector.eval, detector.train, lambda: detector.start_epoch(3)):
        switch()
        assert not detector.encoder("a").training
        assert detector.encoder("b").training == detector.training


# Saving and opening


@pytest.mark.parametrize("name", list(ALL))
@torch.no_grad()
def test_round_trip_is_exact(name: str, tmp_path: Path) -> None:
    detector = detector_of(ALL[name])
    detector.save_pretrained(tmp_path / "one")
    torch.manual_seed(99)  # what is opened owes nothing to the random state
    opened = Detector.from_pretrained(tmp_path / "one")
    clips = waveforms(2, 8000)
    assert not opened.training
    close(opened.score(clips), detector.score(clips), REPEATED)
    assert opened.experiment == detector.experiment and opened.digest() == detector.digest()
    opened.save_pretrained(tmp_path / "two")
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in first] == [path.name for path in second]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))


@torch.no_grad()
def test_opening_needs_no_pretrained_file(tmp_path: Path, monkeypatch) -> None:
    """The encoder's own file is read once, before training, and may then be gone."""
    asked: list[str] = []

    def load(encoder: Encoder, path: Path) -> None:
        asked.append(path.name)
        for parameter in encoder.parameters():
            parameter.fill_(0.01)

    encoder_class = registry.load("encoders", "xlsr")
    monkeypatch.setattr(encoder_class, "load_pretrained", load)
    view = {**XLSR, "pretrained": "gone.pt", "freeze": True}
    detector = detector_of({"views": {"text": view}, "head": "pool-linear"})
    detector.load_pretrained(lambda _, name: tmp_path / name)
    assert asked == ["gone.pt"]
    detector.save_pretrained(tmp_path / "saved")
    opened = Detector.from_pretrained(tmp_path / "saved")
    assert asked == ["gone.pt"] and opened.experiment.views["text"].pretrained == "gone.pt"
    clips = waveforms(2, 8000)
    close(opened.score(clips), detector.score(clips), REPEATED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("loss.linear.bias"), r"1 missing: loss\.linear\.bias"),
        (lambda state: state.update(strange=torch.zeros(1)), "1 unknown: strange"),
        (
            lambda state: state.update({"loss.linear.bias": torch.zeros(3)}),
            r"1 misshapen: loss\.linear\.bias \(3,\) instead of \(2,\)",
        ),
    ],
)
def test_a_wrong_checkpoint_lists_its_keys(change, message: str, tmp_path: Path) -> None:
    """Trap 'strict=False hides a wrong checkpoint'."""
    detector = detector_of(COMBINATIONS["aasist"])
    state = detector.state_dict()
    change(state)
    checkpoint.save(detector.content(state), tmp_path / "wrong")
    with pytest.raises(ValueError, match=message) as caught:
        Detector.from_pretrained(tmp_path / "wrong")
    assert "\n" not in str(caught.value) and "wrong" in str(caught.value)


def test_a_checkpoint_of_another_experiment_is_refused(tmp_path: Path) -> None:
    detector = detector_of(COMBINATIONS["aasist"])
    detector.save_pretrained(tmp_path / "saved")
    other = Experiment.parse(COMBINATIONS["lfcc-resnet"]).to_yaml()
    (tmp_path / "saved" / "experiment.yaml").write_text(other)
    with pytest.raises(ValueError, match=r"weights do not fit the model: .* missing: .* unknown: "):
        Detector.from_pretrained(tmp_path / "saved")
