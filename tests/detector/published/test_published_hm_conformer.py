"""HM-Conformer's eleven files, with random weights under the published names."""

from pathlib import Path

import pytest
import torch
from golden_names import close, golden
from published_files import State, files, filled, linear, norm, same_both_ways, saved
from torch import nn

from amsdf.contracts import ViewShape
from amsdf.detector import published
from amsdf.published_names import Sizes
from heads.hm_conformer import HMConformerHead


def hm_frontend() -> State:
    """The names of the golden file, in the published sizes."""
    sizes = {16: 128, 32: 256, 176: 7552, 64: 512, 4: None}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, tensor in golden("heads.safetensors", "hmconformer/w/").items():
        shape = tuple(sizes.get(size) or size for size in tensor.shape)
        shapes[name] = (4, 32) if "pos_bias" in name else shape
        if name.endswith("running_var"):
            shapes[name.replace("running_var", "num_batches_tracked")] = ()
    return filled(shapes)


def hm_states() -> dict[str, State]:
    states = {"frontend": hm_frontend()}
    for level in range(5):
        states[f"backend{level}"] = filled(linear("fc", 128, 64) | norm("bn", 64), seed=level)
        states[f"loss{level}"] = filled({"weight": (1, 64)}, seed=10 + level)
    return {
        f"check_point_DF_{part}_20.pt": {f"module.{name}": value for name, value in state.items()}
        for part, state in states.items()
    }


@pytest.fixture(scope="module")
def hm_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return files(hm_states(), tmp_path_factory.mktemp("hm") / "params")


@torch.no_grad()
def test_hm_conformer_golden_by_its_names() -> None:
    """The whole translation of the network, tokens included, on the reference's own numbers."""
    tensors = golden("heads.safetensors", "hmconformer/")
    theirs = {f"frontend.{key[2:]}": v for key, v in tensors.items() if key.startswith("w/")}
    for level in range(5):
        theirs |= {
            f"backend{level}.{key[10:]}": value
            for key, value in tensors.items()
            if key.startswith("backend_w/")
        }
    ours, others = HMConformerHead.from_published(theirs)
    assert not others
    arguments = HMConformerHead.arguments_of(Sizes(ours))
    assert arguments == {
        "width": 16, "heads": 4, "hidden_dim": 32, "kernel": 15, "embedding_dim": 8
    }  # fmt: skip
    head = HMConformerHead({"a": ViewShape(24)}, **arguments, multi_level=True).double().eval()
    head.load_state_dict(ours, strict=False)
    levels, fused = head.outputs(tensors["x"])
    close(levels, tensors["embedding"])
    close(fused, tensors["output"].squeeze(1))
    embedding = head({"a": tensors["x"]}).view(2, 5, 8)
    close(embedding[:, 0], tensors["backend_of_embedding0"])
    close(embedding[:, 4], tensors["backend_of_output"])


@torch.no_grad()
def test_hm_conformer_of_eleven_files(hm_files) -> None:
    """Each weight is in its place: five back-ends, five centres, of which the last one scores."""
    detector = published.load(hm_files)
    states = hm_states()
    loss = detector.loss
    for level in range(5):
        centre = states[f"check_point_DF_loss{level}_20.pt"]["module.weight"]
        assert torch.equal(loss.parts[level].centre, centre)
    embeddings = torch.randn(3, 5 * 64, generator=torch.Generator().manual_seed(1))
    last = states["check_point_DF_loss4_20.pt"]["module.weight"]
    close(loss.score(embeddings), nn.functional.cosine_similarity(embeddings[:, -64:], last))
    backends = [*detector.head.level_backends, detector.head.backend]
    for level, backend in enumerate(backends):
        weight = states[f"check_point_DF_backend{level}_20.pt"]["module.fc.weight"]
        assert torch.equal(backend.linear.weight, weight)
    assert detector.experiment.name == "params" and detector.experiment.clip.samples == 64_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda paths: paths[:-1], r"HM-Conformer is in 11 files; `import` .* Missing: loss4$"),
        (lambda paths: [paths[0]], r"Missing: backend0, .*backend4, loss0, .*loss4$"),
        (
            lambda paths: [
                *paths,
                saved({"fc.bias": torch.ones(64)}, paths[0].parent, "backend1.pt"),
            ],
            r"backend1\.pt: fc\.bias is in another file too; give each file once",
        ),
        (
            lambda paths: [*paths[:-1], paths[-1].rename(paths[-1].with_name("last.pt"))],
            r"last\.pt: which part of HM-Conformer it is cannot be told from its name",
        ),
    ],
)
def test_hm_conformer_with_files_that_do_not_fit(change, message, tmp_path) -> None:
    paths = files(hm_states(), tmp_path)
    with pytest.raises(ValueError, match=message) as error:
        published.load(change(paths))
    assert "\n" not in str(error.value)


def test_our_weights_under_their_names_are_theirs(hm_files) -> None:
    """Their tokens are two weights, so ours has no name there."""
    assert same_both_ways(hm_files) == {"head.tokens"}
