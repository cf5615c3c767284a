"""Reads fairseq checkpoints (`.pt`) without fairseq and without running what they pickle.

A fairseq file is a pickle of the training state. Its configuration comes in three forms: a plain
`cfg` dictionary, an `args` namespace (2020), and an omegaconf `cfg` (turn of 2020/21). All are read
by torch's weights-only unpickler, which knows no function and no class but those named here; the
omegaconf classes are replaced by stand-ins that only hold what they are given.
"""

import ast
import operator
import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from amsdf.weights import load_safely, plain_state

#: Parts that only pre-training needs: never used for features, left out by name.
PRETRAINING = ("mask_emb", "quantizer", "project_q", "final_proj", "label_embs_concat")

_LAYER = {
    "self_attn": "attention",
    "self_attn_layer_norm": "layer_norm",
    "fc1": "feed_forward.intermediate_dense",
    "fc2": "feed_forward.output_dense",
}
_RENAMES: tuple[tuple[str, str], ...] = (
    (r"feature_extractor\.conv_layers\.(\d+)\.0\.", r"feature_extractor.conv_layers.\1.conv."),
    (
        r"feature_extractor\.conv_layers\.(\d+)\.2\.(?:1\.)?",
        r"feature_extractor.conv_layers.\1.layer_norm.",
    ),
    (r"post_extract_proj\.", "feature_projection.projection."),
    (r"layer_norm\.", "feature_projection.layer_norm."),
    (r"encoder\.pos_conv\.0\.weight_g$", "encoder.pos_conv.0.parametrizations.weight.original0"),
    (r"encoder\.pos_conv\.0\.weight_v$", "encoder.pos_conv.0.parametrizations.weight.original1"),
    (r"encoder\.pos_conv\.0\.", "encoder.pos_conv_embed.conv."),
)
#: Settings without which no model can be built.
_NEEDED = (
    *("conv_feature_layers", "encoder_embed_dim", "encoder_layers", "encoder_attention_heads"),
    "encoder_ffn_embed_dim",
)
_ARITHMETIC = {ast.Add: operator.add, ast.Mult: operator.mul}


class _Inert:
    """Stands in for a class of a pickle: keeps its attributes, does nothing."""

    def __init__(self, *arguments: Any):
        pass


class _Node(_Inert):
    """An omegaconf value or container."""


def _fresh_dict(*arguments: Any) -> dict[Any, Any]:
    return {}


_STAND_INS: list[Any] = [
    (_Node, "omegaconf.dictconfig.DictConfig"),
    (_Node, "omegaconf.listconfig.ListConfig"),
    *(
        (_Node, f"omegaconf.nodes.{kind}Node")
        for kind in ("Any", "String", "Integer", "Float", "Boolean")
    ),
    (_Inert, "omegaconf.base.Metadata"),
    (_Inert, "omegaconf.base.ContainerMetadata"),
    (_Inert, "typing.Any"),
    (_fresh_dict, "collections.defaultdict"),
    *(
        (_Inert, f"{module}.{name}")
        for module in ("builtins", "__builtin__")
        for name in ("dict", "list", "tuple", "int", "long", "float", "bool", "str", "unicode")
    ),
]


def read_fairseq(path: Path) -> dict[str, Any]:
    """The checkpoint's top-level dictionary; tensors are mapped from disk, not read."""
    checkpoint = load_safely(path, [Namespace, *_STAND_INS])
    if not isinstance(checkpoint, Mapping) or not isinstance(checkpoint.get("model"), Mapping):
        raise ValueError(f"{path}: is no fairseq checkpoint: it has no 'model' weights")
    return {**checkpoint, "model": plain_state(checkpoint["model"], path)}


def configuration(checkpoint: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], bool]:
    """Settings of the model, and whether it wants normalised waveforms (`task.normalize`)."""
    cfg = _plain(checkpoint.get("cfg"))
    if isinstance(cfg, dict) and isinstance(cfg.get("model"), dict):
        task = cfg.get("task")
        return cfg["model"], isinstance(task, dict) and bool(task.get("normalize", False))
    args = checkpoint.get("args")
    if isinstance(args, Namespace):
        settings = vars(args)
        return settings, bool(settings.get("normalize", False))
    raise ValueError(f"{path}: has neither 'cfg' nor 'args'; the architecture is not in the file")


def _plain(value: Any) -> Any:
    """Stand-ins to dictionaries, lists and values."""
    if isinstance(value, _Node):
        inside = vars(value)
        value = inside["_content"] if "_content" in inside else inside.get("_val")
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def conv_layers(expression: str) -> list[tuple[int, int, int]]:
    """`[(512, 10, 5)] + [(512, 3, 2)] * 4` -> (channels, kernel, stride) a layer; parsed only."""
    try:
        layers = _value(ast.parse(str(expression).strip(), mode="eval").body)
        return [(int(channels), int(kernel), int(stride)) for channels, kernel, stride in layers]
    except (SyntaxError, TypeError, ValueError, RecursionError):
        raise ValueError(
            f"conv_feature_layers is {str(expression)[:80]!r}; it must be lists of "
            "(channels, kernel, stride) joined with + and *"
        ) from None


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = _value(node.left), _value(node.right)
        if isinstance(right, int) and right > 100:
            raise ValueError("no network has so many layers")
        return _ARITHMETIC[type(node.op)](left, right)
    raise ValueError(f"{type(node).__name__} is not allowed")


def architecture(settings: Mapping[str, Any], normalize: bool, path: Path) -> dict[str, Any]:
    """fairseq's settings -> the arguments of `XLSREncoder`."""
    missing = [key for key in _NEEDED if key not in settings]
    if missing:
        raise ValueError(f"{path}: holds no wav2vec 2.0 model: its settings lack {missing[0]!r}")
    for key, only in (
        ("activation_fn", "gelu"),
        ("layer_type", "transformer"),
        ("pos_conv_depth", 1),
    ):
        if settings.get(key, only) != only:
            raise ValueError(f"{path}: {key} is {settings[key]!r}; only {only!r} can be read")
    dims, kernels, strides = zip(*conv_layers(settings["conv_feature_layers"]), strict=True)
    return {
        "hidden": settings["encoder_embed_dim"],
        "layers_count": settings["encoder_layers"],
        "heads": settings["encoder_attention_heads"],
        "ffn": settings["encoder_ffn_embed_dim"],
        "conv_dims": list(dims),
        "conv_kernels": list(kernels),
        "conv_strides": list(strides),
        "extractor_mode": settings.get("extractor_mode", "default"),
        "conv_bias": bool(settings.get("conv_bias", False)),
        "layer_norm_first": bool(settings.get("layer_norm_first", False)),
        "pos_kernel": settings.get("conv_pos", 128),
        "pos_groups": settings.get("conv_pos_groups", 16),
        "normalize": normalize,
        "dropout": float(settings.get("dropout", 0.0)),
        "attention_dropout": float(settings.get("attention_dropout", 0.0)),
        "activation_dropout": float(settings.get("activation_dropout", 0.0)),
        "input_dropout": float(settings.get("dropout_input", 0.0)),
        "layerdrop": float(settings.get("encoder_layerdrop", 0.0)),
        "front_gradient": float(settings.get("feature_grad_mult", 1.0)),
    }


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """fairseq's weight names -> those of transformers' `Wav2Vec2Model`; no weight is changed."""
    return {
        _renamed(key): tensor
        for key, tensor in state.items()
        if key.split(".")[0] not in PRETRAINING
    }


def _renamed(key: str) -> str:
    layer = re.match(r"encoder\.layers\.(\d+)\.([a-z0-9_]+)\.", key)
    if layer:
        name = _LAYER.get(layer[2], layer[2])
        return f"encoder.layers.{layer[1]}.{name}.{key[layer.end() :]}"
    for pattern, replacement in _RENAMES:
        key = re.sub(f"^{pattern}", replacement, key)
    return key
