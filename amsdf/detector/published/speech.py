"""The wav2vec 2.0 inside a published detector: its architecture from the shapes of its weights."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

#: Attention heads are not in any shape; these are the ones of wav2vec 2.0 and XLS-R, by width.
HEADS = {768: 12, 1024: 16, 1280: 16, 1920: 16}
#: Nor are strides; all wav2vec 2.0 models have these.
STRIDES = (5, 2, 2, 2, 2, 2, 2)


def size(state: Mapping[str, Tensor], key: str, axis: int = 0) -> int:
    """Length of one axis of a weight that must be there."""
    if key not in state:
        raise ValueError(f"weights do not fit the model: 1 missing: {key}")
    shape = tuple(state[key].shape)
    if axis >= len(shape):
        raise ValueError(f"weights do not fit the model: 1 misshapen: {key} {shape}")
    return shape[axis]


def count(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many numbers, from 0 to the largest, `pattern` has: `layers.{}.fc1.bias`."""
    head, _, tail = pattern.partition("{}")
    numbers = [
        key[len(head) : len(key) - len(tail)]
        for key in state
        if key.startswith(head) and key.endswith(tail)
    ]
    return max((int(number) + 1 for number in numbers if number.isdigit()), default=0)


def architecture(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Weights under fairseq's names -> the arguments of the encoder `xlsr`.

    Models with layer norms in their front are taken as pre-norm, the others as post-norm: so are
    all that fairseq published.
    """
    hidden = size(state, "encoder.layer_norm.weight")
    if hidden not in HEADS:
        raise ValueError(
            f"its speech model is {hidden} wide, which does not say how many attention heads it "
            "has; `import` it with --ssl and the file that it was made from"
        )
    front = "feature_extractor.conv_layers"
    num_convolutions = count(state, front + ".{}.0.weight")
    if num_convolutions != len(STRIDES):
        raise ValueError(
            f"its speech model has {num_convolutions} convolutions, not {len(STRIDES)}, so their "
            "strides are unknown; `import` it with --ssl and the file that it was made from"
        )
    kernel = "encoder.pos_conv.0.weight_v"
    if kernel not in state:  # as torch.nn.utils.parametrizations calls it
        kernel = "encoder.pos_conv.0.parametrizations.weight.original1"
    weights = [f"{front}.{index}.0.weight" for index in range(num_convolutions)]
    layer_norm = f"{front}.1.2.1.weight" in state
    return {
        "hidden": hidden,
        "layers_count": count(state, "encoder.layers.{}.fc1.bias"),
        "heads": HEADS[hidden],
        "ffn": size(state, "encoder.layers.0.fc1.bias"),
        "conv_dims": [size(state, weight) for weight in weights],
        "conv_kernels": [size(state, weight, 2) for weight in weights],
        "conv_strides": list(STRIDES),
        "extractor_mode": "layer_norm" if layer_norm else "default",
        "conv_bias": f"{front}.0.0.bias" in state,
        "layer_norm_first": layer_norm,
        "pos_kernel": size(state, kernel, 2),
        "pos_groups": hidden // max(size(state, kernel, 1), 1),
    }
