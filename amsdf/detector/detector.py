"""`Detector`: named views, a fusion head and a loss, from waveform to score.

detector = Detector.build(experiment)      # random weights, no file touched
detector.load_pretrained(find)             # the encoders' pretrained files, once
detector.score(waveform)                   # (B, S) at 16 kHz -> (B,), higher = bona fide
"""

from collections.abc import Callable, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from amsdf import registry
from amsdf.audio.signal.conditioning import condition
from amsdf.config import Component, Experiment, View, read_recipe
from amsdf.config.settings import thaw
from amsdf.contracts import Encoder, Head, Loss, ViewShape, has_parameter, mask_of
from amsdf.conventions import CODE_FOLDER
from amsdf.detector import finetuning
from amsdf.detector.card import model_card
from amsdf.detector.inference.precision import encode
from amsdf.detector.inference.windows import parts_of, pool, refuse_what_nobody_can_judge
from amsdf.detector.storage import checkpoint, hub
from amsdf.detector.storage.pretrained import first_existing
from amsdf.detector.storage.pretrained_views import load_view
from amsdf.files import write_text
from amsdf.weights import load_strictly

#: Windows of a long recording are scored in batches of this size, so that memory is bounded.
PARTS_AT_ONCE = 64


class Detector(nn.Module):
    """Views -> head -> loss. Freezing is decided here and nowhere else.

    Example:
        >>> import torch
        >>> detector = Detector.from_recipe("aasist-l").eval()
        >>> detector.score(torch.randn(2, 64_600)).shape
        torch.Size([2])
    """

    def __init__(
        self, experiment: Experiment, encoders: dict[str, Encoder], head: Head, loss: Loss
    ):
        super().__init__()
        self.experiment = experiment
        self.encoders = nn.ModuleDict(encoders)
        self.head = head
        self.loss: Loss = loss
        self.start_epoch(0)

    @classmethod
    def build(cls, experiment: Experiment, trust_remote_code: bool = False) -> Self:
        """Random weights, drawn from torch's global generator; neither disk nor network.

        `trust_remote_code` lets an encoder run the model code in the folder that its view names as
        `pretrained`. No experiment can ask for that.
        """
        encoders = {
            name: _build_encoder(name, view, trust_remote_code)
            for name, view in experiment.views.items()
        }
        shapes = {name: ViewShape(part.dim, part.layers) for name, part in encoders.items()}
        head = _build_part("heads", experiment.head, shapes)
        loss = _build_part("losses", experiment.loss, head.embedding_dim)
        if not loss.has_score:
            raise ValueError(
                f"loss {experiment.loss.name!r} cannot score; make it a part of 'weighted-sum' "
                "beside one that can, such as 'oc-softmax'"
            )
        return cls(experiment, encoders, head, loss)

    @classmethod
    def from_pretrained(cls, folder: str | Path, trust_remote_code: bool = False) -> Self:
        """A detector that `save_pretrained` wrote, in evaluation mode; strict and safe.

        `folder` may be a hub id too: `owner/name` or `owner/name@revision`.
        """
        folder = hub.local_folder(folder)
        experiment = checkpoint.read_experiment(Path(folder))
        detector = cls.build(experiment, trust_remote_code)
        load_strictly(detector, checkpoint.read_weights(Path(folder)), folder)
        return detector.eval()

    @classmethod
    def from_recipe(cls, name: str) -> Self:
        """A detector of a shipped recipe, with random weights.

        Example:
            >>> import amsdf
            >>> amsdf.Detector.from_recipe("aasist-l").head.embedding_dim
            160
        """
        return cls.build(Experiment.parse(read_recipe(name)))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `experiment.yaml` and `model.safetensors` in one move.

        Other files in the folder are kept; a calibration of other weights gets another name.
        """
        checkpoint.save(self.content(), Path(folder))

    def push_to_hub(
        self, repo_id: str, *, private: bool | None = None, token: str | None = None, card: str = ""
    ) -> str:
        """Upload it with its card to the Hugging Face hub, as `hub.upload` says -> its address."""

        def write(folder: Path) -> None:
            self.save_pretrained(folder)
            write_text(folder / hub.CARD, card or model_card(repo_id, self))

        return hub.upload(repo_id, write, private, token)

    def content(self, state: Mapping[str, Tensor] | None = None) -> checkpoint.Checkpoint:
        """What is saved; `state` replaces the detector's own weights (averaged ones)."""
        frozen = [
            f"encoders.{name}.{key}"
            for name, view in self.experiment.views.items()
            if view.freeze and view.unfreeze_epoch is None and not view.lora_rank
            for key in self.encoder(name).state_dict()
        ]
        return checkpoint.Checkpoint(
            self.experiment, self.state_dict() if state is None else state, frozen
        )

    def load_pretrained(self, find: Callable[[str, str], Path]) -> None:
        """Read each view's pretrained file; `find(encoder, name)` says where it is."""
        for name, view in self.experiment.views.items():
            if view.pretrained:
                with finetuning.without_adapters(self.encoder(name)):
                    load_view(self.encoder(name), view.encoder, find(view.encoder, view.pretrained))

    def encoder(self, name: str) -> Encoder:
        """The encoder of one view."""
        return self.encoders[name]  # type: ignore[return-value]

    def start_epoch(self, epoch: int) -> None:
        """Apply the freezing schedule of each view."""
        self.epoch = epoch
        for name, view in self.experiment.views.items():
            finetuning.set_trainable(self.encoder(name), view, epoch)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training mode for all but frozen encoders, which stay in evaluation mode."""
        super().train(mode)
        for name, view in self.experiment.views.items():
            finetuning.hold_frozen(self.encoder(name), view, self.epoch)
        return self

    def views(
        self,
        waveform: Tensor,
        lengths: Tensor | None = None,
        known: Mapping[str, Tensor] | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
        """(B, S) -> named views (B, N, D) or (B, L, N, D), and masks (B, N) given `lengths`.

        Views that are already `known` are taken as they are; their encoders do not run.
        """
        if lengths is not None:
            self.require_lengths()
        if len(known or {}) < len(self.encoders):
            waveform = condition(waveform, lengths, self.experiment.clip)
        views = {
            name: known[name]
            if known and name in known
            else encode(name, encoder, waveform, lengths)
            for name, encoder in self.encoders.items()
        }
        if lengths is None:
            return views, None
        return views, {name: self._mask(name, view, lengths) for name, view in views.items()}

    @property
    def frozen_views(self) -> list[str]:
        """Names of the views whose encoders are frozen in this epoch: equal in every pass."""
        views = self.experiment.views.items()
        return [name for name, view in views if finetuning.is_frozen(view, self.epoch)]

    def _mask(self, name: str, view: Tensor, lengths: Tensor) -> Tensor:
        num_nodes = view.shape[-2]
        counts = self.encoder(name).node_counts(lengths)
        if counts is None:
            counts = (lengths * num_nodes / lengths.max()).ceil().long()
        return mask_of(counts.clamp(1, num_nodes).to(view.device), num_nodes)

    def require_lengths(self) -> None:
        """Refuse, by name, the parts that cannot work on whole utterances."""
        for name, encoder in self.encoders.items():
            if not has_parameter(encoder.forward, "lengths"):
                self._refuse(f"encoder {self.experiment.views[name].encoder!r}", "lengths")
        if not has_parameter(self.head.forward, "masks"):
            self._refuse(f"head {self.experiment.head.name!r}", "masks")

    def _refuse(self, part: str, argument: str) -> None:
        why = f"{part} takes no {argument!r}, so it cannot work on whole utterances"
        raise ValueError(f"{why}; give clip.samples a length")

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> embedding (B, E)."""
        return self.fuse(*self.views(waveform, lengths))

    def fuse(self, views: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None) -> Tensor:
        """What `views` gave -> embedding (B, E)."""
        return self.head(views) if masks is None else self.head(views, masks)

    def embed(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> embedding (B, E)."""
        return self(waveform.to(self.device), lengths)

    def score(self, waveform: Tensor | np.ndarray, lengths: Tensor | None = None) -> Tensor:
        """Recordings (B, S) or (S,) at 16 kHz -> (B,) in float32, higher = more bona fide.

        `lengths` (B,) are the true ones of padded recordings. The experiment's `score` says which
        parts are listened to. No graph is kept in evaluation mode. Empty waveforms, silence and
        samples that are no numbers are refused: no detector can judge them.
        """
        clips = torch.as_tensor(waveform, device=self.device)
        clips = clips[None] if clips.dim() == 1 else clips
        refuse_what_nobody_can_judge(clips)
        sizes = [clips.shape[1]] * len(clips) if lengths is None else lengths.tolist()
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            found = [
                parts_of(clip[:size], self.experiment)
                for clip, size in zip(clips, sizes, strict=True)
            ]
            scores = self._score_parts([parts for parts, _ in found])
            shares = scores.split([len(parts) for parts, _ in found])
            powers, rule = [power for _, power in found], repeat(self.experiment.score)
            return torch.stack(list(map(pool, shares, powers, rule)))

    def _score_parts(self, recordings: list[Tensor]) -> Tensor:
        """Parts (W, S) of each recording -> the scores of all of them, one after the other."""
        if self.experiment.clip.samples is not None:
            batches = torch.cat(recordings).split(PARTS_AT_ONCE)
            return torch.cat([self.score_unchecked(batch) for batch in batches])
        sizes = [parts.shape[1] for parts in recordings]
        clips = pad_sequence([parts[0] for parts in recordings], batch_first=True)
        lengths = torch.tensor(sizes, device=clips.device) if len(set(sizes)) > 1 else None
        return self.score_unchecked(clips, lengths)

    def score_unchecked(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Clips (B, S) -> (B,): the score of one part each, which may well be silent."""
        return self.loss.score(self(waveform, lengths).float())

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Parameters by learning rate, the loss's centre left out if it has its own optimiser."""
        centre = self.loss.centre_parameters() if self.experiment.train.centre else []
        in_centre = {id(parameter) for parameter in centre}
        parameters = [*self.head.parameters(), *self.loss.parameters()]
        others = [parameter for parameter in parameters if id(parameter) not in in_centre]
        groups: list[dict[str, Any]] = [{"params": others, "lr": learning_rate}]
        for name, view in self.experiment.views.items():
            groups += finetuning.parameter_groups(self.encoder(name), view, learning_rate)
        return [group for group in groups if group["params"]]

    def digest(self) -> str:
        """Twelve hexadecimal digits over all weights and the experiment's parts."""
        return self.content().digest()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(iter(self.state_dict().values())).device


def _build_encoder(name: str, view: View, trust_remote_code: bool) -> Encoder:
    if "." in name or hasattr(nn.ModuleDict, name):
        raise ValueError(f"no view can be called {name!r}; give it another name, such as audio")
    arguments = thaw(view.args)
    if trust_remote_code and CODE_FOLDER in registry.parameters("encoders", view.encoder):
        arguments[CODE_FOLDER] = first_existing(view.pretrained) if view.pretrained else None
    encoder = registry.build("encoders", view.encoder, **arguments)
    if not isinstance(encoder, Encoder) or not hasattr(encoder, "dim"):
        raise ValueError(f"view {name!r}: encoder {view.encoder!r} declares no `dim`")
    finetuning.apply(encoder, view)
    return encoder


def _build_part(kind: str, component: Component, given: Any) -> Any:
    return registry.build(kind, component.name, given, **thaw(component.args))
