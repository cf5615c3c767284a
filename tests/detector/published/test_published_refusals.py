"""Published checkpoints that do not fit, or are none: refused in one line, nothing executed."""

import pickle

import pytest
import torch
from published_files import published_aasist, saved

from amsdf.detector import published
from amsdf.detector.published import FAMILIES


@pytest.mark.parametrize(
    "lost", ["out_layer.bias", "GAT_layer_S.bn.weight", "encoder.3.0.conv1.bias"]
)
def test_missing_weight_is_named(lost, tmp_path) -> None:
    """Trap 'strict=False hides a wrong checkpoint': missing keys stop, by their published name."""
    state = published_aasist()
    del state[lost]
    with pytest.raises(ValueError, match=f"file.pth: AASIST: .*1 missing: {lost}\\b"):
        published.load(saved(state, tmp_path))


@pytest.mark.parametrize(
    "key", ["pos_S", "out_layer.weight", "HtrgGAT_layer_ST21.att_projM.weight"]
)
def test_misshapen_weight_is_named(key, tmp_path) -> None:
    state = published_aasist()
    state[key] = state[key][:, :1]
    with pytest.raises(ValueError, match=rf"1 misshapen: {key} \(.*\) instead of \("):
        published.load(saved(state, tmp_path))


def test_scalar_where_a_size_is_read(tmp_path) -> None:
    state = {**published_aasist(), "GAT_layer_S.bn.weight": torch.tensor(1.0)}
    with pytest.raises(ValueError, match=r"misshapen: GAT_layer_S.bn.weight \(\)"):
        published.load(saved(state, tmp_path))


def test_foreign_weights_are_named(tmp_path) -> None:
    """Also one that bears our name, and one that ends in digits that are none."""
    state = published_aasist()
    extra = {"attack_layer.weight": torch.zeros(2), "encoder.x.0.bn2.weight": torch.zeros(2)}
    with pytest.raises(
        ValueError, match=r"2 unknown: attack_layer.weight, encoder.x.0.bn2.weight\b"
    ):
        published.load(saved(state | extra, tmp_path))
    with pytest.raises(ValueError, match=r"both mean 'loss.linear.bias'"):
        published.load(saved(state | {"loss.linear.bias": torch.zeros(2)}, tmp_path))


def test_strange_size_is_refused(tmp_path) -> None:
    """Its pooling ratios cannot be known."""
    state = {**published_aasist(), "GAT_layer_S.bn.weight": torch.zeros(48)}
    with pytest.raises(ValueError, match=r"48 wide; AASIST has 64 and AASIST-L 24"):
        published.load(saved(state, tmp_path))


def test_unknown_family_lists_what_is_known(tmp_path) -> None:
    path = saved({"resnet.conv1.weight": torch.zeros(2), "fc.bias": torch.zeros(2)}, tmp_path)
    with pytest.raises(ValueError, match=r"first weights are resnet.conv1.weight, fc.bias") as seen:
        published.load(path)
    assert all(family.name in str(seen.value) for family in FAMILIES)
    with pytest.raises(ValueError, match="first weights are none"):
        published.load(saved({}, tmp_path))


class Bomb:
    """Runs code when it is unpickled by somebody who lets it."""

    def __reduce__(self):
        return (open, ("exploded", "w"))


def garbage(kind: str) -> bytes:
    if kind == "pickle":
        return pickle.dumps({"weights": Bomb()})
    if kind == "random":
        return bytes(torch.randint(256, (4_000,)).tolist())
    return {"text": b"404: Not Found\n", "html": b"<html>", "empty": b"", "zip": b"PK\x03\x04"}[
        kind
    ]


@pytest.mark.parametrize("kind", ["pickle", "torch", "random", "text", "html", "empty", "zip"])
def test_other_files_are_refused_in_one_line(kind, tmp_path, monkeypatch) -> None:
    """Nothing of a pickle is executed."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file.pth"
    if kind == "torch":
        torch.save({"weights": Bomb()}, path)
    else:
        torch.manual_seed(0)
        path.write_bytes(garbage(kind))
    with pytest.raises(ValueError, match=r"file.pth: ") as seen:
        published.load(path)
    assert "\n" not in str(seen.value) and not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_half_a_file_is_refused(share, tmp_path) -> None:
    path = saved(published_aasist(), tmp_path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"file.pth: "):
        published.load(path)


def test_missing_file_and_needless_speech_model(tmp_path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        published.load(tmp_path / "absent.pth")
    path = saved(published_aasist(), tmp_path)
    with pytest.raises(ValueError, match="AASIST has no speech model; leave out --ssl"):
        published.load(path, ssl=tmp_path)
