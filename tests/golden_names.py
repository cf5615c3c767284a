"""Names of the reference implementations, as they stand in the golden files, to ours."""

from collections.abc import Mapping

import torch
from conftest import golden_path
from safetensors.torch import load_file
from torch import Tensor

GRAPH_WORDS = {
    "att_proj": "pair_linear",
    "att_weight": "pair_vector",
    "att_weight11": "pair_vector11",
    "att_weight12": "pair_vector12",
    "att_weight22": "pair_vector22",
    "att_weightM": "master_vector",
    "att_projM": "master_linear",
    "proj_type1": "linear_type1",
    "proj_type2": "linear_type2",
    "proj_with_att": "linear_attended",
    "proj_without_att": "linear_self",
    "proj_with_attM": "master_attended",
    "proj_without_attM": "master_self",
    "proj": "score",
    "bn": "norm",
}


def translate(state: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """Replace the prefix of each key by ours and the words of graph layers; drop other keys."""
    found = {}
    for key, tensor in state.items():
        for theirs, ours in prefixes.items():
            if key == theirs or key.startswith(theirs + "."):
                rest = [GRAPH_WORDS.get(word, word) for word in key[len(theirs) :].split(".")]
                value = tensor.float() if tensor.is_floating_point() else tensor
                found[ours + ".".join(rest)] = value
                break
    return found


def golden(name: str, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a golden file whose names begin with `prefix`, without it."""
    tensors = load_file(golden_path(name))
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}


def close(given: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    """Assert equality within `tolerance` of the largest expected value, or of 1."""
    scale = max(1.0, float(expected.detach().abs().max()))
    torch.testing.assert_close(given, expected.to(given.dtype), rtol=0, atol=tolerance * scale)
