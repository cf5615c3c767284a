"""What the speech models of `transformers` have in common: padding, layer choice, blocks, loading.

They share a shape: a convolutional front, a projection, a stack of transformer layers.
"""

import copy
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from amsdf.contracts import Encoder, mask_of
from amsdf.weights import load_strictly, refuse_misfits
from encoders._layers import LayerChoice, LayerName, recorded
from encoders._padding import by_length, convolved, lengthen, receptive_field, standardise

log = logging.getLogger(__name__)

#: Models whose attention mask keeps padding out of every real node (checked by our tests), provided
#: that no norm of the front runs over time.
_MASKED_MODELS = ("wav2vec2", "hubert", "wavlm", "unispeech-sat", "wav2vec2-bert")


class SpeechTransformer(Encoder):
    """A `transformers` speech model as an encoder.

    In whole-utterance mode clips are masked where the model's mask is exact. Elsewhere, because of
    a group norm over time in the front or of convolutions between positions, only clips of equal
    length are encoded together.

    Args:
        model: The network, with `encoder.layers`.
        layer: Which hidden states become nodes, see `encoders._layers`.
        normalize: Bring every clip to zero mean and unit variance.
        normalize_eps: Added to the variance (fairseq: 1e-5, transformers: 1e-7).
    """

    model: Any

    def __init__(
        self,
        model: PreTrainedModel,
        layer: LayerName = "last",
        normalize: bool = False,
        normalize_eps: float = 1e-5,
    ):
        super().__init__()
        config: Any = model.config
        self.model = model
        self.choice = LayerChoice(layer, config.num_hidden_layers)
        self.normalize = normalize
        self.normalize_eps = normalize_eps
        self.dim = config.hidden_size
        self.layers = self.choice.stack
        self.masked = config.model_type in _MASKED_MODELS and not _norm_over_time(model)
        self._convolutions = _convolutions(config)
        del self.model.encoder.layers[self.choice.needed :]
        _stop_input_gradient(model)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, N, D), or (B, L + 1, N, D) for `layer="all"`."""
        if lengths is not None:
            full = bool((lengths == waveform.shape[1]).all())
            lengths = None if full else lengths.to(waveform.device)
        if lengths is not None and not self.masked:
            nodes = int(self.node_counts(lengths.new_tensor([waveform.shape[1]])))
            return by_length(self.forward, waveform, lengths, nodes)
        inputs = self._inputs(waveform, lengths)
        if self.choice.layer == "last":
            return self.model(**inputs).last_hidden_state
        with recorded(self.model.encoder.layers) as states:
            final = self.model(**inputs).last_hidden_state
        return self.choice(states, final)

    def _inputs(self, waveform: Tensor, lengths: Tensor | None) -> dict[str, Tensor | None]:
        """What the model is called with, for clips (B, S)."""
        if self.normalize:
            waveform = standardise(waveform, lengths, self.normalize_eps)
        field = receptive_field(self._convolutions)
        waveform = lengthen(waveform, field).to(self.model.dtype)
        if lengths is None:
            return {"input_values": waveform}
        return {
            "input_values": waveform,
            "attention_mask": mask_of(lengths.clamp(min=field), waveform.shape[1]).long(),
        }

    def node_counts(self, lengths: Tensor) -> Tensor:
        """Nodes (B,) of clips of `lengths` (B,) samples; at least one."""
        return convolved(lengths, self._convolutions)

    def blocks(self) -> Sequence[nn.Module]:
        """Convolutional front, projection, positions, then each transformer layer."""
        encoder = self.model.encoder
        names = ("feature_extractor", "feature_projection")
        front = [getattr(self.model, name) for name in names if hasattr(self.model, name)]
        if hasattr(encoder, "pos_conv_embed"):
            front.append(encoder.pos_conv_embed)
        if hasattr(encoder, "layer_norm") and not getattr(
            self.model.config, "do_stable_layer_norm", False
        ):
            front.append(encoder.layer_norm)  # a post-norm model has it before the layers
        return [*front, *encoder.layers]

    def load_pretrained(self, path: Path) -> None:
        """Read a Hugging Face folder, strictly; heads of other tasks are left out."""
        self.load_weights(folder_weights(path, self.model), path)

    def load_weights(self, state: Mapping[str, Tensor], path: Path) -> None:
        """Fill the model; `path` is for messages."""
        load_strictly(self.model, self.choice.used(state, "encoder.layers."), path)


def _convolutions(config: Any) -> list[tuple[int, int]]:
    """(kernel, stride) of each convolution of the front."""
    kernels = getattr(config, "conv_kernel", ())
    return list(zip(kernels, config.conv_stride, strict=True)) if kernels else []


def _norm_over_time(model: nn.Module) -> bool:
    return any(isinstance(module, nn.GroupNorm) for module in model.modules())


def _stop_input_gradient(model: nn.Module) -> None:
    """Keep the front from asking for the gradient of the waveform, which nobody uses.

    It would make a frozen front keep all its activations.
    """
    flag = "_requires_grad"
    for module in model.modules():
        if hasattr(module, flag):
            setattr(module, flag, False)


def folder_weights(
    path: Path, like: PreTrainedModel, renames: Mapping[str, str] | None = None
) -> dict[str, Tensor]:
    """Weights of a Hugging Face folder for the architecture of `like`, which is left as it is.

    transformers reads the file, so that shards, older names and prefixes are its business. What it
    did not find or does not fit is an error; so is an unused weight of the encoder itself.
    `renames` are regular expressions over the names in the file.
    """
    if not (path / "config.json").is_file():
        raise ValueError(f"{path}: is no Hugging Face model folder: it has no config.json")
    if (path / "adapter_config.json").exists():  # transformers looks for the model named in it
        raise ValueError(f"{path}: holds adapters (adapter_config.json); merge them into the model")
    reader: Any = type(like)
    try:
        loaded, report = reader.from_pretrained(
            path,
            config=copy.deepcopy(like.config),
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            key_mapping=dict(renames) if renames else None,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path}: cannot be read: {str(error).strip().splitlines()[0]}") from None
    prefix = f"{like.base_model_prefix}."
    parts = {name for name, _ in like.named_children()}
    unused = sorted(key.removeprefix(prefix) for key in report["unexpected_keys"])
    refuse_misfits(
        path,
        missing=sorted(report["missing_keys"]),
        unknown=[key for key in unused if key.split(".")[0] in parts],
        misshapen=sorted(key[0] for key in report["mismatched_keys"]),
    )
    if unused:
        log.info("%s: %d weights of other tasks left out (%s, …)", path, len(unused), unused[0])
    return loaded.state_dict()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a Hugging Face folder."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path.parent}: has no {path.name}; it must be a model folder") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: is no JSON: {error}") from None


def wants_normalized(path: Path) -> bool:
    """Whether the folder's feature extractor normalises waveforms (without one: yes)."""
    file = path / "preprocessor_config.json"
    return bool(read_json(file).get("do_normalize", True)) if file.is_file() else True
