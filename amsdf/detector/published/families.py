"""The published systems whose checkpoints are opened."""

from collections.abc import Mapping
from typing import Any

from amsdf.config import merge, read_recipe
from amsdf.detector.published.family import Family, Speech, State
from amsdf.detector.published.speech import count, size

#: Residual blocks of the AASIST encoder.
BLOCKS = range(6)
#: More hidden layers than any speech model has.
MOST_LAYERS = 100


def _parts(recipe: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Views, head, loss and clip of a shipped recipe, its pretrained files left out."""
    shipped = read_recipe(recipe)
    parts = {key: shipped[key] for key in ("views", "head", "loss", "clip")}
    parts["views"] = {
        name: {key: value for key, value in view.items() if key != "pretrained"}
        for name, view in shipped["views"].items()
    }
    return merge(parts, changes)


SPECTRO_TEMPORAL = {
    "pos_S": "head.spectral_position",
    "GAT_layer_S": "head.graph.attention_spectral",
    "GAT_layer_T": "head.graph.attention_temporal",
    "pool_S": "head.graph.pool_spectral",
    "pool_T": "head.graph.pool_temporal",
    "out_layer": "loss.linear",
} | {
    f"{theirs[0]}{branch}{theirs[1]}": f"head.graph.branches.{branch - 1}.{ours}"
    for branch in (1, 2)
    for theirs, ours in {
        ("master", ""): "master",
        ("HtrgGAT_layer_ST", "1"): "layer1",
        ("HtrgGAT_layer_ST", "2"): "layer2",
        ("pool_hS", ""): "pool_spectral",
        ("pool_hT", ""): "pool_temporal",
    }.items()
}


def _aasist(state: State, speech: Speech) -> dict[str, Any]:
    graph_dim = size(state, "GAT_layer_S.bn.weight")
    recipes = {24: "aasist-l", 64: "aasist"}
    if graph_dim not in recipes:
        raise ValueError(
            f"its graphs are {graph_dim} wide; AASIST has 64 and AASIST-L 24, and the pooling "
            "ratios of other sizes are not in the file"
        )
    channels = [size(state, f"encoder.{block}.0.bn2.weight") for block in BLOCKS]
    hidden_dim = size(state, "HtrgGAT_layer_ST11.bn.weight")
    changes = {"views": {"audio": {"channels": channels}}, "head": {"hidden_dim": hidden_dim}}
    return _parts(recipes[graph_dim], changes)


AASIST = Family(
    name="AASIST",
    mark="HtrgGAT_layer_ST11.",
    names={
        **SPECTRO_TEMPORAL,
        "first_bn": "encoders.audio.first_bn",
        **{f"encoder.{block}.0": f"encoders.audio.residual.{block}" for block in BLOCKS},
    },
    describe=_aasist,
)


def _ssl_aasist(state: State, speech: Speech) -> dict[str, Any]:
    head = {"width": size(state, "LL.bias")}
    return _parts("ssl-aasist", {"views": {"text": dict(speech)}, "head": head})


SSL_AASIST = Family(
    name="SSL_Anti-spoofing (XLS-R + AASIST)",
    mark="LL.",
    names={
        **SPECTRO_TEMPORAL,
        "LL": "head.linear",
        "first_bn": "head.norm_in",
        "first_bn1": "head.norm_out",
        "attention": "head.attention",
        **{f"encoder.{block}.0": f"head.blocks.{block}" for block in BLOCKS},
    },
    describe=_ssl_aasist,
    # Computed and thrown away in the published network.
    dropped=[f"encoder.{block}.0.bn1" for block in BLOCKS[1:]],
    speech=True,
    inside="ssl_model.model.",
)


def _amsdf(state: State, speech: Speech) -> dict[str, Any]:
    return _parts("amsdf", {"views": {"text": dict(speech)}})


AMSDF = Family(
    name="AMSDF",
    mark="emo_view_extract.",
    names={
        "audio_view_extract.first_bn": "encoders.audio.first_bn",
        **{
            f"audio_view_extract.encoder.{block}.0": f"encoders.audio.residual.{block}"
            for block in BLOCKS
        },
        "emo_view_extract.model": "encoders.emotion",
        "emo_view_extract.bn": "head.adapters.emotion.norm",
        "text_view_extract.linear": "head.adapters.text.linear",
        "text_view_extract.bn": "head.adapters.text.norm",
        **{
            f"{theirs}_{short}": f"head.{ours}.{view}"
            for theirs, ours in {"GAT": "attentions", "pool": "pools"}.items()
            for short, view in {"audio": "audio", "emo": "emotion", "text": "text"}.items()
        },
        **{
            f"{core}.{theirs}": f"head.{fusion}.{ours}"
            for core, fusion in {
                "Core_AE": "pairs.audio+emotion",
                "Core_AT": "pairs.audio+text",
                "Core_ET": "pairs.emotion+text",
                "Core_AET": "chain.0",
            }.items()
            for theirs, ours in {
                "HtrgGAT_layer1": "layer1",
                "HtrgGAT_layer2": "layer2",
                "stack_node": "stack_node",
            }.items()
        },
        **{f"GRS_group{group}": f"head.readouts.{group - 1}" for group in (1, 2, 3)},
        "out_layer": "head.out_linear",
        "out_layer2": "loss.linear",
    },
    describe=_amsdf,
    # The classifier of the emotion network.
    dropped=["emo_view_extract.model.fc1", "emo_view_extract.model.fc2"],
    speech=True,
    inside="text_view_extract.model.",
    bonafide_class=None,
)


def _ebm(state: State, speech: Speech) -> dict[str, Any]:
    squeeze = "bridge_module.squeeze_module_"
    states = (
        count(state, squeeze + "norms.{}.weight"),
        size(state, f"{squeeze}linears.0.w_1.weight", 1),
    )
    given = speech.get("layers_count", 0) + 1, speech.get("hidden", 0)
    if states != given:
        raise ValueError(
            f"reads {states[0]} hidden states of width {states[1]}, but --ssl gives {given[0]} of "
            f"width {given[1]}; give the model that it was trained on"
        )
    head = {
        "width": size(state, "AHP_ASP.mm_weights", 1),
        "embedding_dim": size(state, "layer_norm.weight"),
    }
    return _parts("ebm", {"views": {"text": dict(speech)}, "head": head})


EBM = Family(
    name="EBM",
    mark="bridge_module.",
    names={
        "bridge_module.AHP_W_att": "head.layer_vector",
        "AHP_ASP.mm_weights": "head.pooling.vector",
        "linear": "head.linear",
        "layer_norm": "head.norm",
        "loss.weight": "loss.parts.0.centre",
        **{
            f"bridge_module.{theirs.format(layer)}": f"head.squeezes.{layer}.{ours}"
            for layer in range(MOST_LAYERS)
            for theirs, ours in {
                "squeeze_module_linears.{}.w_1": "linear1",
                "squeeze_module_linears.{}.w_2": "linear2",
                "squeeze_module_norms.{}": "norm",
                "AHP_ASP.{}.mm_weights": "pooling.vector",
            }.items()
        },
    },
    describe=_ebm,
    speech=True,
)

#: In the order in which their marks are looked for. The baseline of ASVspoof 5 is AASIST, trained
#: on other data: nothing in its file tells it from the AASIST of 2021.
FAMILIES = (AMSDF, SSL_AASIST, EBM, AASIST)
