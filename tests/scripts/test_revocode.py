"""Copy-synthesis: the vocoders, and the script that makes a corpus with them."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from golden_names import close
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from amsdf.audio import vocoders
from amsdf.audio.files.reading import read_audio
from amsdf.audio.vocoders import GriffinLim, HiFiGAN, build_vocoder
from amsdf.contracts import SAMPLE_RATE
from amsdf.data.manifest import read_manifest
from amsdf.testing import REPEATED, waveforms

SCRIPT = Path(__file__).parents[2] / "scripts" / "revocode.py"
HARD_IDS = ["plain", "with space", "a/b, c", 'quo"te', "a_b_ c"]


@pytest.fixture(scope="module")
def revocode():
    spec = importlib.util.spec_from_file_location("revocode", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def tiny_hifigan(**changes) -> SpeechT5HifiGan:
    settings = {
        "upsample_initial_channel": 16,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1, 3]],
        "initializer_range": 0.2,
        **changes,
    }
    torch.manual_seed(0)
    return SpeechT5HifiGan(SpeechT5HifiGanConfig(**settings))


@pytest.fixture(scope="module")
def hifigan(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hifigan")
    tiny_hifigan().save_pretrained(folder)
    return folder


def speech(samples: int = SAMPLE_RATE) -> np.ndarray:
    return waveforms(1, samples)[0].numpy()


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Five bona fide recordings with hard ids, one of them cut by times, and a spoof."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    lines = ["utt,path,label,speaker,attack,start,end"]
    for index, utt in enumerate(HARD_IDS):
        soundfile.write(folder / f"{index}.wav", speech(4000 + index), SAMPLE_RATE)
        quoted = '"' + utt.replace('"', '""') + '"'
        lines.append(f"{quoted},{index}.wav,bonafide,s{index},,{0.1 if index == 1 else ''},")
    soundfile.write(folder / "spoof.wav", speech(4000), SAMPLE_RATE)
    lines.append("made,spoof.wav,spoof,s9,A01,,")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


# The vocoders


def magnitudes(waveform: np.ndarray) -> torch.Tensor:
    window = torch.hann_window(1024)
    spectrum = torch.stft(torch.from_numpy(waveform), 1024, 256, window=window, return_complex=True)
    return spectrum.abs()


def test_griffin_lim_keeps_the_magnitudes():
    """And not the phases: it is another waveform, the same each time."""
    x, vocode = speech(), GriffinLim()
    y = vocode(x)
    assert y.dtype == np.float32
    assert y.shape == x.shape
    assert (magnitudes(y) - magnitudes(x)).norm() < 0.1 * magnitudes(x).norm()
    assert np.abs(np.corrcoef(x, y)[0, 1]) < 0.9
    close(*map(torch.from_numpy, (vocode(x), y)), REPEATED)


@pytest.mark.parametrize("samples", [1024, 16_000, 16_255])
def test_hifigan_hears_the_mel_spectrogram_of_speecht5(hifigan, samples):
    """Same length, and the same as generator and feature extractor by hand."""
    x, vocode = speech(samples), HiFiGAN(hifigan)
    y = vocode(x)
    assert y.shape == x.shape
    log_mel = torch.tensor(vocode.extractor(audio_target=x, sampling_rate=16_000)["input_values"])
    expected = tiny_hifigan().eval()(log_mel[0])[:samples]
    close(torch.from_numpy(y), expected)


def test_hifigan_identity_is_that_of_its_weights(hifigan, tmp_path):
    """The trap "stale result of another model"."""
    tiny_hifigan(initializer_range=0.1).save_pretrained(tmp_path)
    assert HiFiGAN(hifigan).identity == HiFiGAN(hifigan).identity
    assert HiFiGAN(hifigan).identity != HiFiGAN(tmp_path).identity


def test_hifigan_of_other_bands_is_refused(tmp_path):
    tiny_hifigan(model_in_dim=40).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="takes 40 bands at 16000 Hz, 256 samples apart"):
        HiFiGAN(tmp_path)


def test_hifigan_of_other_weights_is_refused(hifigan, tmp_path):
    """The trap "strict=False hides a wrong checkpoint": the keys are listed."""
    tiny_hifigan().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["resblock_dilation_sizes"] = [[1, 3, 5]]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"weights are not those .* resblocks.0.convs1.2"):
        HiFiGAN(tmp_path)


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors"])
def test_damaged_hifigan_is_one_line(tmp_path, damage):
    tiny_hifigan().save_pretrained(tmp_path)
    (tmp_path / damage).write_bytes(b"{ nothing")
    with pytest.raises(ValueError, match="cannot be read") as caught:
        HiFiGAN(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(vocoders.pyworld is None, reason="needs pyworld")
def test_world_keeps_length():
    assert build_vocoder("world")(speech()).shape == (SAMPLE_RATE,)


@pytest.mark.parametrize(
    "description, message",
    [
        ("griffinlim", "no vocoder named 'griffinlim'. Did you mean 'griffin-lim'"),
        ("hifigan", "needs its folder"),
        ("griffin-lim:x", "takes no folder"),
        ("hifigan:/nowhere", "is not a Hugging Face folder"),
    ],
)
def test_vocoder_that_cannot_be(description, message):
    with pytest.raises(ValueError, match=message):
        build_vocoder(description)


def test_world_without_its_package(monkeypatch):
    monkeypatch.setattr(vocoders, "pyworld", None)
    monkeypatch.setattr(vocoders, "why_no_pyworld", "No module named 'pyworld'", raising=False)
    with pytest.raises(ValueError, match=r"needs the package 'pyworld' .*amsdf\[pyworld\]"):
        build_vocoder("world")


# The script


@pytest.mark.parametrize("kind", ["griffin-lim", "hifigan"])
def test_manifest_in_manifest_out(revocode, corpus, tmp_path, hifigan, kind):
    out = tmp_path / "out"
    vocoder = f"hifigan:{hifigan}" if kind == "hifigan" else kind
    assert revocode([str(corpus), str(out), "--vocoder", vocoder, "--of", "bonafide"]) == 0
    made = read_manifest(out / "manifest.csv").table
    assert made["source"].to_list() == HARD_IDS
    assert set(made["label"]) == {0}
    assert set(made["attack"]) == {kind}
    assert made["speaker"].to_list() == [f"s{index}" for index in range(5)]
    lengths = [len(read_audio(path)) for path in made["path"]]
    assert lengths == [4000, 4001 - 1600, 4002, 4003, 4004]
    assert not (out / "failed.tsv").exists()


def test_limit(revocode, corpus, tmp_path):
    arguments = [str(corpus), str(tmp_path / "out"), "--vocoder", "griffin-lim", "--limit", "2"]
    assert revocode([*arguments, "--of", "all"]) == 0
    assert len(read_manifest(tmp_path / "out")) == 2


def test_resumed_run_keeps_what_is_there(revocode, corpus, tmp_path):
    out = tmp_path / "out"
    arguments = [str(corpus), str(out), "--vocoder", "griffin-lim", "--of", "bonafide"]
    revocode([*arguments, "--limit", "2"])
    before = {path: path.stat().st_mtime_ns for path in (out / "audio").iterdir()}
    assert revocode(arguments) == 0
    after = {path: path.stat().st_mtime_ns for path in (out / "audio").iterdir()}
    assert len(after) == 5
    assert before.items() <= after.items()
    assert all(path.suffix == ".flac" for path in after)


def test_failures_are_listed_and_the_rest_is_made(revocode, corpus, tmp_path):
    """The trap "exit 0 after failure"."""
    out = tmp_path / "out"
    arguments = [str(corpus), str(out), "--vocoder", "griffin-lim", "--of", "bonafide"]
    kept = (corpus.parent / "3.wav").read_bytes()
    (corpus.parent / "3.wav").write_bytes(b"no sound")
    soundfile.write(corpus.parent / "4.wav", speech(500), SAMPLE_RATE)
    assert revocode(arguments) == 1
    header, *lines = (out / "failed.tsv").read_text().splitlines()
    assert header == "utt\treason"
    assert len(lines) == 2
    assert "500 samples are too few for griffin-lim" in lines[1]
    assert len(read_manifest(out)) == 3
    (corpus.parent / "3.wav").write_bytes(kept)
    soundfile.write(corpus.parent / "4.wav", speech(5000), SAMPLE_RATE)
    assert revocode(arguments) == 0
    assert not (out / "failed.tsv").exists()
    assert len(read_manifest(out)) == 5


@pytest.mark.parametrize(("of", "sources"), [("", ["made"]), ("all", [*HARD_IDS, "made"])])
def test_spoofs_are_copied_unless_asked(revocode, corpus, tmp_path, of, sources):
    """As EBM vocodes the spoofs of its training set; a copy of anything is a spoof."""
    out = tmp_path / "out"
    words = ["--of", of] if of else []
    assert revocode([str(corpus), str(out), "--vocoder", "griffin-lim", *words]) == 0
    made = read_manifest(out).table
    assert made["source"].to_list() == sources and set(made["label"]) == {0}


def test_what_is_not_there_to_copy_is_said(revocode, corpus, tmp_path, capsys):
    words = ["--vocoder", "griffin-lim", "--of", "spoof"]
    lines = corpus.read_text().splitlines()
    corpus.write_text("\n".join(line for line in lines if not line.startswith("made")) + "\n")
    assert revocode([str(corpus), str(tmp_path / "out"), *words]) == 2
    corpus.unlink()
    assert revocode([str(corpus.parent), str(tmp_path / "out"), *words]) == 2
    first, second = capsys.readouterr().err.strip().splitlines()
    assert first.endswith("has no spoof recording to copy; try --of bonafide")
    assert "has no labels, so no known spoof; leave --of out" in second


def test_unlabelled_recordings_are_all_taken(revocode, corpus, tmp_path):
    (corpus.parent / "manifest.csv").unlink()
    assert revocode([str(corpus.parent), str(tmp_path / "out"), "--vocoder", "griffin-lim"]) == 0
    assert len(read_manifest(tmp_path / "out")) == 6


def test_bad_requests_are_one_line_and_status_2(revocode, corpus, tmp_path, capsys, hifigan):
    out = tmp_path / "out"
    assert revocode([str(corpus), str(out), "--vocoder", "griffin-lim", "--limit", "1"]) == 0
    requests = {
        "no such file or folder": [str(tmp_path / "gone.csv"), str(out)],
        "no vocoder named 'wrld'": [str(corpus), str(out), "--vocoder", "wrld"],
        "was made by griffin-lim": [str(corpus), str(out), "--vocoder", f"hifigan:{hifigan}"],
        "not made by this script": [str(corpus), str(corpus.parent)],
    }
    capsys.readouterr()
    for message, request in requests.items():
        vocoder = [] if "--vocoder" in request else ["--vocoder", "griffin-lim"]
        assert revocode([*request, *vocoder]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("revocode: ")
        assert message in error
    with pytest.raises(SystemExit) as stopped:
        revocode([str(corpus), str(out), "--vocoder", "griffin-lim", "--limit", "0"])
    assert stopped.value.code == 2
