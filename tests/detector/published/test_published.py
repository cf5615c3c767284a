"""Published checkpoints: golden numbers from file to logit, strictness, safety, polarity."""

import csv
from pathlib import Path

import pytest
import torch
from golden_names import close, golden
from kept_files import golden_path, shared_path
from published_files import published_aasist, saved
from torch import Tensor
from transformers import Wav2Vec2Config, Wav2Vec2Model

from amsdf.audio import fit, read_audio
from amsdf.config import Experiment, read_recipe
from amsdf.detector import published
from amsdf.detector.detector import Detector
from amsdf.detector.published import FAMILIES
from amsdf.metrics import eer
from amsdf.testing import REPEATED, waveforms

CORPORA = ("ami_mini", "glowtts_demo", "hifigan_demo", "ljspeech_mini")


def golden_waveforms(name: str) -> Tensor:
    return golden(name)["input.waveform_int16"].float() / 32768


def llr(logits: Tensor) -> Tensor:
    """The score that logits (B, 2) stand for."""
    return logits[:, 1] - logits[:, 0]


@torch.no_grad()
def test_aasist_golden() -> None:
    detector = published.load(shared_path("weights", "AASIST.pth"))
    tensors = golden("aasist_official.safetensors")
    waveform = golden_waveforms("aasist_official.safetensors")
    embedding = detector.embed(waveform)
    close(embedding, tensors["out.embedding"])
    close(detector.loss.logits(embedding), tensors["out.logits"])
    close(detector.score(waveform), llr(tensors["out.logits"]))
    shorter = detector.embed(waveform[:1, :32_000])
    close(detector.loss.logits(shorter), tensors["out32000.logits"])
    assert not detector.training and detector.experiment.name == "AASIST"


@pytest.mark.any_processor
@torch.no_grad()
def test_amsdf_golden() -> None:
    """The whole network in float32: more than 20 layers, and a score of cancelling logits."""
    path = golden_path("amsdf_full_tiny_ckpt.pth")
    tensors = golden("amsdf_full_tiny_ckpt.safetensors")
    waveform = golden_waveforms("amsdf_full_tiny_ckpt.safetensors")
    detector = published.load(path, bonafide_class=1)
    logits = detector.loss.logits(detector.embed(waveform))
    close(logits, tensors["out.logits"], 5e-5)
    detector.loss.swap_classes()
    swapped = detector.score(waveform)
    close(swapped, -llr(tensors["out.logits"]), 5e-5)


@pytest.fixture(scope="module")
def ssl_aasist() -> dict[str, Tensor]:
    """The golden back-end and the tiny XLS-R, named as SSL_Anti-spoofing names them."""
    speech_model = torch.load(golden_path("fairseq_xlsr_tiny.pt"), weights_only=True)["model"]
    state = golden("ssl_aasist_backend.safetensors", "state.")
    return {f"ssl_model.model.{key}": value for key, value in speech_model.items()} | state


@pytest.mark.any_processor
@pytest.mark.parametrize("prefix", ["", "module."])
@torch.no_grad()
def test_ssl_aasist_golden(prefix, ssl_aasist, tmp_path) -> None:
    """Its parts equal the golden numbers; the weights inside win over those of --ssl."""
    bias = "ssl_model.model.encoder.layer_norm.bias"
    state = {**ssl_aasist, bias: ssl_aasist[bias] + 1}
    path = saved({prefix + key: value for key, value in state.items()}, tmp_path)
    detector = published.load(path, ssl=golden_path("fairseq_xlsr_tiny.pt")).double()
    tensors = golden("ssl_aasist_backend.safetensors")
    embedding = detector.head({"text": tensors["input.ssl_features"]})
    close(embedding, tensors["out.last_hidden"])
    close(detector.loss.logits(embedding), tensors["out.logits"])
    nodes = golden("fairseq_xlsr_tiny.safetensors")["raw64600.x"]
    waveform = golden_waveforms("fairseq_xlsr_tiny.safetensors")
    close(detector.encoder("text")(waveform), nodes + 1)


@torch.no_grad()
def test_ssl_aasist_without_its_speech_model(ssl_aasist, tmp_path) -> None:
    state = {key: value for key, value in ssl_aasist.items() if not key.startswith("ssl_model")}
    path = saved(state, tmp_path)
    with pytest.raises(ValueError, match=r"comes without its speech model \(XLS-R\).*--ssl"):
        published.load(path)
    detector = published.load(path, ssl=golden_path("fairseq_xlsr_tiny.pt")).double()
    waveform = golden_waveforms("fairseq_xlsr_tiny.safetensors")
    nodes = golden("fairseq_xlsr_tiny.safetensors")["raw64600.x"]
    close(detector.encoder("text")(waveform), nodes)


def hugging_face_folder(folder: Path, layers: int = 4) -> Wav2Vec2Model:
    torch.manual_seed(1)
    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=48,
        conv_dim=[8] * 7,
        feat_extract_norm="layer",
        conv_bias=True,
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        mask_time_prob=0.0,
    )
    model = Wav2Vec2Model(config).eval()
    model.save_pretrained(folder)
    return model


def ebm_state() -> dict[str, Tensor]:
    tensors = golden("heads.safetensors", "blinear/")
    state = {key[2:]: value for key, value in tensors.items() if key.startswith("w/")}
    return {f"module.{k}": v for k, v in {**state, "loss.weight": tensors["center"]}.items()}


@torch.no_grad()
def test_ebm_golden(tmp_path) -> None:
    """Back-end and centre from the file, speech model from a folder, not normalised.

    EBM was trained when the last hidden state of transformers was the one after the final norm.
    """
    model = hugging_face_folder(tmp_path / "xlsr").double()
    detector = published.load(saved(ebm_state(), tmp_path), ssl=tmp_path / "xlsr").double()
    tensors = golden("heads.safetensors", "blinear/")
    embedding = detector.head({"text": tensors["x"]})
    close(embedding, tensors["embedding"])
    close(detector.loss.score(embedding), tensors["scores"].squeeze(1))
    waveform = waveforms(2, 8_000).double()
    given = model(waveform, output_hidden_states=True)
    states = torch.stack([*given.hidden_states[:-1], given.last_hidden_state], dim=1)
    expected = detector.loss.score(detector.head({"text": states}))
    close(detector.score_unchecked(waveform), expected)
    detector.loss.swap_classes()
    close(detector.score_unchecked(waveform), -expected)


def test_ebm_needs_the_right_speech_model(tmp_path) -> None:
    path = saved(ebm_state(), tmp_path)
    with pytest.raises(ValueError, match="EBM: comes without its speech model"):
        published.load(path)
    hugging_face_folder(tmp_path / "xlsr", layers=2)
    with pytest.raises(
        ValueError, match=r"bridge_module\.squeeze_module.*--ssl gives 3 hidden states of width 32"
    ):
        published.load(path, ssl=tmp_path / "xlsr")


@pytest.mark.parametrize(("recipe", "parameters"), [("aasist", 297_866), ("aasist-l", 85_306)])
def test_both_sizes_of_aasist_are_told_apart(recipe, parameters, tmp_path) -> None:
    """Sizes and pooling ratios; torch's global generator is left as it was."""
    path = saved(published_aasist(recipe), tmp_path)
    before = torch.random.get_rng_state()
    detector = published.load(path)
    assert torch.equal(before, torch.random.get_rng_state())
    assert sum(p.numel() for p in detector.parameters()) == parameters
    shipped = Experiment.parse(read_recipe(recipe))
    other = Detector.build(shipped).eval()
    other.load_state_dict(detector.state_dict())
    with torch.no_grad():
        waveform = waveforms(1, 16_000)
        close(detector.score(waveform), other.score(waveform), REPEATED)
    assert detector.experiment.clip.samples == shipped.clip.samples == 64_600


def test_saved_detector_needs_no_original(tmp_path) -> None:
    path = saved(published_aasist(), tmp_path)
    detector = published.load(str(path))
    detector.save_pretrained(tmp_path / "ours")
    path.unlink()
    again = Detector.from_pretrained(tmp_path / "ours")
    with torch.no_grad():
        waveform = waveforms(2, 16_000)
        close(again.score(waveform), detector.score(waveform), REPEATED)
    assert again.experiment == detector.experiment


@torch.no_grad()
def test_polarity(tmp_path) -> None:
    """Class 0 as bona fide swaps the logits, so that column 1 is always bona fide."""
    path = saved(published_aasist(), tmp_path)
    waveform = waveforms(2, 16_000)
    detector, swapped = published.load(path), published.load(path, bonafide_class=0)
    close(swapped.score(waveform), -detector.score(waveform), REPEATED)
    logits = detector.loss.logits(detector.embed(waveform))
    close(swapped.loss.logits(swapped.embed(waveform)), logits.flip(1))
    close(detector.score_unchecked(waveform), logits[:, 1] - logits[:, 0])
    with pytest.raises(ValueError, match="bonafide_class is 2; it must be 0 or 1"):
        published.load(path, bonafide_class=2)


def test_polarity_of_amsdf_must_be_said() -> None:
    with pytest.raises(ValueError, match=r"contradict.*--bonafide-class 0 or 1.*--verify"):
        published.load(golden_path("amsdf_full_tiny_ckpt.pth"))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name.split()[0])
def test_translation_is_one_to_one(family) -> None:
    """No two published names become one of ours, and each is found again."""
    names = dict(family.beginnings())
    assert len(set(names.values())) == len(names) > 0
    for theirs, ours in names.items():
        assert family.published_name(ours) == theirs
        assert family.published_name(f"{ours}.weight") == f"{theirs}.weight"


def rows(corpus: str) -> list[tuple[Path, str, Tensor]]:
    """(path, label, logits) of every clip that the reference scored."""
    folder = shared_path("corpora", corpus)
    with (folder / "manifest.csv").open(newline="") as file:
        clips = {row["utt"]: row for row in csv.DictReader(file)}
    with shared_path("golden", "aasist_on_corpora", f"{corpus}.csv").open(newline="") as file:
        scored = list(csv.DictReader(file))
    return [
        (
            folder / clips[row["utt"]]["path"],
            clips[row["utt"]]["label"],
            torch.tensor([float(row["logit_spoof"]), float(row["logit_bonafide"])]),
        )
        for row in scored
    ]


@torch.no_grad()
def logits_of(detector: Detector, path: Path) -> Tensor:
    clip = fit(read_audio(path), detector.experiment.clip, detector.experiment.clip.samples)
    return detector.loss.logits(detector.embed(torch.from_numpy(clip)[None]))[0]


@pytest.mark.parametrize("corpus", CORPORA)
def test_aasist_from_file_to_logit(corpus) -> None:
    """Three clips of each corpus; decoding and fitting to length are in it."""
    detector = published.load(shared_path("weights", "AASIST.pth"))
    listed = rows(corpus)
    for path, _, expected in listed[:: len(listed) // 2]:
        close(logits_of(detector, path), expected, 1e-4)  # float32, and the decoder's rounding


@pytest.mark.slow
@pytest.mark.parametrize(
    ("corpus", "expected_eer"),
    [("ami_mini", None), ("glowtts_demo", 60.0), ("hifigan_demo", 40.3), ("ljspeech_mini", None)],
)
def test_aasist_on_every_clip(corpus, expected_eer) -> None:
    """Trap 'min(EER, flipped EER)': an EER above 50 % is shown as it is."""
    detector = published.load(shared_path("weights", "AASIST.pth"))
    listed = rows(corpus)
    found = torch.stack([logits_of(detector, path) for path, _, _ in listed])
    expected = torch.stack([logits for _, _, logits in listed])
    close(found, expected, 1e-4)
    if expected_eer:
        scores = (found[:, 1] - found[:, 0]).numpy()
        real = [label == "bonafide" for _, label, _ in listed]
        rate = eer(scores[real], scores[[not bonafide for bonafide in real]]).rate
        assert 100 * rate == pytest.approx(expected_eer, abs=0.05)
