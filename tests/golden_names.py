"""Golden numbers: read, their names translated to ours, compared within a share of the largest."""

from collections.abc import Mapping

from kept_files import golden_path
from safetensors.torch import load_file
from torch import Tensor

from amsdf.testing import difference

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
                value = tensor.double() if tensor.is_floating_point() else tensor
                found[ours + ".".join(rest)] = value
                break
    return found


def golden(name: str, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a golden file whose names begin with `prefix`, without it.

    Numbers come in float64: what is then computed of them is the same on every processor.
    """
    tensors = {
        key[len(prefix) :]: value
        for key, value in load_file(golden_path(name)).items()
        if key.startswith(prefix)
    }
    return {k: v.double() if v.is_floating_point() else v for k, v in tensors.items()}


def close(given: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    """Assert equal shapes, and values within `tolerance` of the largest one expected.

    1e-5 is what float32 loses over some twenty layers. Give another tolerance with its reason.
    """
    assert given.shape == expected.shape, f"{tuple(given.shape)}, not {tuple(expected.shape)}"
    found = difference(given, expected)
    assert found <= tolerance, f"differs by {found:.2e} of the largest value, not {tolerance:g}"
