"""Whisper's published models: their sizes, openai-whisper's files, Hugging Face folders, download.

openai-whisper and transformers are imported where they are needed: that takes seconds.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from amsdf.registry import nearest
from amsdf.weights import load_safely, plain_state
from encoders._whisper_network import Dimensions

#: openai-whisper's list.
MODELS = (
    *("tiny.en", "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium"),
    *("large-v1", "large-v2", "large-v3", "large", "large-v3-turbo", "turbo"),
)
#: Width, heads and layers, of the encoder and of the decoder.
_SIZES = {
    "tiny": (384, 6, 4),
    "base": (512, 8, 6),
    "small": (768, 12, 12),
    "medium": (1024, 16, 24),
    "large": (1280, 20, 32),
}
_THIRD_VERSION = ("large", "large-v3", "large-v3-turbo", "turbo")
#: Tokens of English-only models, multilingual ones, and those of the third version.
VOCABULARIES = (51_864, 51_865, 51_866)
TEXT_POSITIONS = 448

#: openai-whisper's names of the weights -> transformers', in a layer and outside of the layers.
_IN_LAYER = {
    "attn.query": "self_attn.q_proj",
    "attn.key": "self_attn.k_proj",
    "attn.value": "self_attn.v_proj",
    "attn.out": "self_attn.out_proj",
    "attn_ln": "self_attn_layer_norm",
    "cross_attn.query": "encoder_attn.q_proj",
    "cross_attn.key": "encoder_attn.k_proj",
    "cross_attn.value": "encoder_attn.v_proj",
    "cross_attn.out": "encoder_attn.out_proj",
    "cross_attn_ln": "encoder_attn_layer_norm",
    "mlp.0": "fc1",
    "mlp.2": "fc2",
    "mlp_ln": "final_layer_norm",
}
_OUTSIDE = {
    "positional_embedding": "embed_positions.weight",
    "token_embedding.weight": "embed_tokens.weight",
    "ln_post.weight": "layer_norm.weight",
    "ln_post.bias": "layer_norm.bias",
    "ln.weight": "layer_norm.weight",
    "ln.bias": "layer_norm.bias",
}


def dimensions(size: str) -> Dimensions:
    """The sizes of a model that openai-whisper lists."""
    if size not in MODELS:
        raise ValueError(
            f"size is {size!r}.{nearest(size, MODELS)} It must be one of {', '.join(MODELS)}"
        )
    third, turbo = size in _THIRD_VERSION, size.endswith("turbo")
    width, heads, layers = _SIZES["large" if turbo else re.split("[.-]", size)[0]]
    return Dimensions(
        n_mels=128 if third else 80,
        n_audio_ctx=1500,
        n_audio_state=width,
        n_audio_head=heads,
        n_audio_layer=layers,
        n_vocab=VOCABULARIES[0 if size.endswith(".en") else 2 if third else 1],
        n_text_ctx=TEXT_POSITIONS,
        n_text_state=width,
        n_text_head=heads,
        n_text_layer=4 if turbo else layers,
    )


def dimensions_of(path: Path) -> Dimensions:
    """The sizes that an official `.pt` file or a Hugging Face folder states."""
    if path.is_dir():
        return import_module("encoders._whisper_folders").dimensions_of(path)
    return _read_official(path)[0]


def encoder_weights(path: Path, dims: Dimensions) -> dict[str, Tensor]:
    """The audio encoder's weights, under transformers' names."""
    if path.is_dir():
        return import_module("encoders._whisper_folders").encoder_weights(path, dims)
    return to_transformers(_part(_read_official(path)[1], "encoder."))


def decoder_weights(path: Path, dims: Dimensions) -> dict[str, Tensor]:
    """The text decoder's weights, under openai-whisper's names."""
    heads = dimensions_of(path).n_text_head
    if heads != dims.n_text_head:  # no weight has their number in its shape
        raise ValueError(f"{path}: its decoder has {heads} heads; it must have {dims.n_text_head}")
    if path.is_dir():
        return to_official(import_module("encoders._whisper_folders").decoder_weights(path, dims))
    return _part(_read_official(path)[1], "decoder.")


def _read_official(path: Path) -> tuple[Dimensions, dict[str, Tensor]]:
    """Sizes and weights of an openai-whisper file."""
    names = [field.name for field in fields(Dimensions)]
    checkpoint = load_safely(path)
    dims = checkpoint.get("dims") if isinstance(checkpoint, Mapping) else None
    if not isinstance(dims, Mapping) or not all(isinstance(dims.get(k), int) for k in names):
        raise ValueError(
            f"{path}: is no openai-whisper file: it has no 'dims' with {', '.join(names)}"
        )
    state = plain_state(checkpoint.get("model_state_dict"), path)
    return Dimensions(**{name: dims[name] for name in names}), state


def _part(state: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    """The weights whose names begin with `start`, without it."""
    return {key.removeprefix(start): state[key] for key in state if key.startswith(start)}


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of one part in openai-whisper's names under transformers'."""
    return {_renamed(key, "blocks", "layers", _IN_LAYER, _OUTSIDE): state[key] for key in state}


def to_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the decoder in transformers' names under openai-whisper's."""
    inside, outside = ({v: k for k, v in names.items()} for names in (_IN_LAYER, _OUTSIDE))
    return {_renamed(key, "layers", "blocks", inside, outside): state[key] for key in state}


def _renamed(
    key: str, old: str, new: str, inside: Mapping[str, str], outside: Mapping[str, str]
) -> str:
    layer = re.fullmatch(rf"{old}\.(\d+)\.(.+)\.(weight|bias)", key)
    if layer is None:
        return outside.get(key, key)
    return f"{new}.{layer[1]}.{inside.get(layer[2], layer[2])}.{layer[3]}"


def published_url(name: str) -> str | None:
    """Where openai publishes the model `name`; the ending of its file may be there or not."""
    return import_module("whisper")._MODELS.get(name.removesuffix(".pt"))


def download(url: str) -> Path:
    """The official file, from openai-whisper's cache or the network, its SHA-256 checked.

    `whisper.load_model` does the same but builds the whole model, and leaves half a file behind
    when the connection breaks.
    """
    whisper = import_module("whisper")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "whisper"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / url.rpartition("/")[2]
    if target.is_file():
        return Path(whisper._download(url, str(cache), in_memory=False))
    with TemporaryDirectory(dir=cache) as scratch:
        return Path(whisper._download(url, scratch, in_memory=False)).replace(target)
