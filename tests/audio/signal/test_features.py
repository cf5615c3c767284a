"""Spectral features against stored numbers of their references, and what they must never do."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from golden_names import close
from golden_names import golden as read_golden
from torch import Tensor

from amsdf.audio.signal.features import (
    AIR_LFCC,
    EMOTION_LOGMEL,
    NII_LFCC,
    TORCHAUDIO_LFCC,
    TORCHAUDIO_MFCC,
    WHISPER_LOGMEL,
    Definition,
    Spectral,
    filter_bank,
)
from amsdf.audio.signal.padding import delta, reflect, repeat, repeat_short
from amsdf.testing import REPEATED, check_encoder, waveforms
from encoders.spectral import LFCCEncoder, LogMelEncoder, MFCCEncoder

DEFINITIONS = {
    "air": AIR_LFCC,
    "nii": NII_LFCC,
    "nii-energy": replace(NII_LFCC, filters=40, coefficients=40, energy=True),
    "lfcc": replace(TORCHAUDIO_LFCC, delta_window=9),
    "mfcc": replace(TORCHAUDIO_MFCC, delta_window=9),
    "whisper": replace(WHISPER_LOGMEL, deltas=1),
    "emotion": EMOTION_LOGMEL,
}


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return read_golden("features.safetensors")


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=str)
def wave(golden, request) -> Tensor:
    """In the precision of users, and in one where the processor makes no difference."""
    return golden["waveform"][None].to(request.param)


@pytest.mark.parametrize(
    ("definition", "name"), [(TORCHAUDIO_MFCC, "mfcc"), (TORCHAUDIO_LFCC, "lfcc")]
)
def test_torchaudio_coefficients(golden, wave, definition: Definition, name: str):
    spectral = Spectral(definition)
    features = spectral(wave).transpose(1, 2)
    close(features[:, :128], golden[f"whisperfeat/{name}_static"][0])
    close(features, golden[f"whisperfeat/{name}_dd"][0])
    long = repeat(wave, torch.tensor([wave.shape[1]]), 480_000)
    columns = spectral(long)[:, golden["whisperfeat/frame_index_30s"]].transpose(1, 2)
    close(columns, golden[f"whisperfeat/{name}_dd_30s_at_index"][0])


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        (TORCHAUDIO_MFCC, "whisperfeat/mfcc_melfb"),
        (TORCHAUDIO_LFCC, "whisperfeat/lfcc_filter_mat"),
        (NII_LFCC, "lfcc_nii/filterbank_20"),
    ],
)
def test_filter_banks(golden, definition: Definition, name: str):
    """The references take steep differences of frequencies in float32, ours is in float64."""
    close(filter_bank(definition), golden[name], 3e-5)


def test_whisper_filters(golden):
    close(filter_bank(WHISPER_LOGMEL).T, golden["whisper_openai/mel_filters_80"])


def test_matlab_lfcc(golden, wave):
    """The second clip ends in a partial frame, which is filled up with zeros and kept."""
    spectral = Spectral(AIR_LFCC)
    longer = torch.cat([wave, wave[:, :75]], dim=1)
    close(spectral(wave)[0].T, golden["lfcc_air_matlab/feat"])
    close(spectral(longer)[0].T, golden["lfcc_air_matlab/feat_16075_samples"])


def test_nii_lfcc(golden, wave):
    close(Spectral(NII_LFCC)(wave), golden["lfcc_nii/n20_noenergy"])
    close(Spectral(DEFINITIONS["nii-energy"])(wave), golden["lfcc_nii/n40_energy"])


@pytest.mark.any_processor
def test_whisper_logmel(golden, wave):
    """The smallest energies of 128 bands are sums of a few float32 numbers, under a logarithm."""
    spectral = Spectral(WHISPER_LOGMEL)
    index = golden["whisper_repo/frame_index"]
    padded = F.pad(wave, (0, 480_000 - wave.shape[1]))
    tiled = repeat(wave, torch.tensor([wave.shape[1]]), 480_000)
    close(spectral(wave)[0].T, golden["whisper_openai/logmel_1s"])
    close(spectral(padded)[0, index].T, golden["whisper_openai/logmel_zeropad30_at_index"])
    close(spectral(padded)[0, index].T, golden["whisper_hf/logmel_zeropad30_at_index"])
    close(spectral(tiled)[0, index].T, golden["whisper_repo/logmel_tiled30_at_index"])
    large = Spectral(replace(WHISPER_LOGMEL, filters=128))
    close(large(padded)[0, index].T, golden["whisper_openai/logmel128_zeropad30_at_index"], 4e-5)


def test_emotion_logmel():
    stored = read_golden("acrnn.safetensors")
    wave = stored["input.waveform_int16"].double() / 32768
    features = Spectral(EMOTION_LOGMEL)(wave)[0]
    close(features[:, :40], stored["input.logfbank_full_f64"])
    close(features[:, 80:], stored["input.delta2_full_f64"])


def test_digital_silence_of_the_emotion_view_is_the_logarithm_of_epsilon():
    features = Spectral(EMOTION_LOGMEL)(torch.zeros(1, 1600))
    assert features[..., :40].unique().item() == pytest.approx(-36.0437, abs=1e-4)
    assert features[..., 40:].abs().max() < 1e-5


@pytest.mark.parametrize("name", DEFINITIONS)
def test_padding_and_batch_mates_change_nothing(name: str):
    """Traps: mask lost before pooling; dB floor taken from a loud neighbour in the batch."""
    spectral = Spectral(DEFINITIONS[name])
    lengths = torch.tensor([7_777, 16_000, 150])
    batch = waveforms(3, 16_000) * torch.tensor([[1.0], [1e-2], [1e-3]])
    batch[0, 7_777:], batch[2, 150:] = 0.9, 0.9
    batch[:2, :2_000] = 0  # so low that the dB floor decides
    together = spectral(batch, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = spectral(batch[row : row + 1, :length])[0]
        assert len(alone) == spectral.counts(lengths)[row]
        assert torch.isfinite(together[row]).all()
        close(together[row, : len(alone)], alone)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_gradient_reaches_the_waveform(name: str):
    wave = waveforms(1, 4_000).requires_grad_()
    Spectral(DEFINITIONS[name])(wave).square().mean().backward()
    assert torch.isfinite(wave.grad).all() and wave.grad.any()


def test_features_stay_in_float32_under_autocast():
    wave, spectral = waveforms(1), Spectral(AIR_LFCC)
    with torch.autocast("cpu", torch.bfloat16):
        features = spectral(wave)
    assert features.dtype == torch.float32
    close(features, spectral(wave.double()))


def test_reflection_mirrors_each_clip_at_its_own_end():
    batch = torch.tensor([[1.0, 2, 3, 4], [1, 2, 9, 9], [1, 9, 9, 9]])
    mirrored = reflect(batch, torch.tensor([4, 2, 1]), left=2, total=8)
    expected = [[3, 2, 1, 2, 3, 4, 3, 2], [1, 2, 1, 2, 1, 2, 1, 2], [1] * 8]
    assert mirrored.tolist() == expected


def test_only_short_clips_are_repeated():
    batch = torch.tensor([[1.0, 2, 3, 4], [1, 2, 9, 9]])
    waveform, lengths = repeat_short(batch, torch.tensor([4, 2]), 3)
    assert waveform.tolist() == [[1, 2, 3, 4], [1, 2, 1, 0]]
    assert lengths.tolist() == [4, 3]


def test_delta_of_a_ramp_is_its_slope():
    ramp = (3 * torch.arange(20.0))[None, :, None]
    counts = torch.tensor([20])
    assert delta(ramp, counts, 5)[0, 2:-2, 0].tolist() == pytest.approx([3] * 16)
    assert delta(ramp, counts, None)[0, :, 0].tolist() == [3, *[6] * 18, 3]


@pytest.mark.parametrize(
    "encoder",
    [
        LFCCEncoder(),
        LFCCEncoder(definition="nii", coefficients=40, energy=True),
        LFCCEncoder(definition="torchaudio", coefficients=40, delta_window=9),
        LFCCEncoder(frames=750),
        MFCCEncoder(coefficients=40, filters=80, frames=300),
        MFCCEncoder(deltas=0, fft=1024, window=800),
        LogMelEncoder(),
        LogMelEncoder(filters=128),
        LogMelEncoder(definition="emotion", deltas=2),
    ],
)
def test_spectral_encoders(encoder):
    check_encoder(encoder)
    assert torch.isfinite(encoder.half()(waveforms(1).half())).all()


@pytest.mark.parametrize("name", DEFINITIONS)
def test_everything_happens_on_the_device_of_the_waveform(name: str, monkeypatch):
    """The device `meta` refuses to mix with the CPU; it computes nothing and has no autocast."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    spectral = Spectral(DEFINITIONS[name]).to("meta")
    lengths = torch.tensor([9_000, 16_000])
    assert spectral(torch.empty(2, 16_000, device="meta"), lengths).device.type == "meta"


def test_encoder_defaults_are_the_published_definitions(golden, wave):
    close(LFCCEncoder()(wave)[0].T, golden["lfcc_air_matlab/feat"])
    study = LFCCEncoder(definition="torchaudio")
    close(study(wave).transpose(1, 2), golden["whisperfeat/lfcc_dd"][0])
    close(MFCCEncoder()(wave).transpose(1, 2), golden["whisperfeat/mfcc_dd"][0])
    close(LogMelEncoder()(wave)[0].T, golden["whisper_openai/logmel_1s"])


def test_fixed_frames_cut_long_clips_and_repeat_the_frames_of_short_ones(wave):
    free, fixed = LFCCEncoder()(wave), LFCCEncoder(frames=250)
    close(fixed(wave)[:, :198], torch.cat([free, free], dim=1), REPEATED)
    assert fixed.node_counts(torch.tensor([100, 99_999])).tolist() == [250, 250]
    close(LFCCEncoder(frames=50)(wave), free[:, :50], REPEATED)


@pytest.mark.parametrize(
    ("encoder", "arguments", "message"),
    [
        (LFCCEncoder, {"definition": "matlab"}, "no definition named 'matlab'"),
        (LFCCEncoder, {"coefficients": 30, "filters": 20}, "30 coefficients of 20 filters"),
        (LFCCEncoder, {"window": 600}, "window 600 is longer than fft 512"),
        (LFCCEncoder, {"deltas": 3}, "deltas 3; 0 none"),
        (MFCCEncoder, {"delta_window": 2}, "delta window of 2 frames has no slope"),
        (MFCCEncoder, {"frames": 0}, "frames is 0"),
        (LogMelEncoder, {"definition": "emotion", "filters": 80}, "leave some empty"),
    ],
)
def test_messages(encoder, arguments, message: str):
    with pytest.raises(ValueError, match=message):
        encoder(**arguments)


@pytest.mark.parametrize("window", [None, 9, 101])
def test_deltas_of_many_frames_are_those_of_each_alone(window):
    """Trap: frames are computed in blocks, whose edges must not show."""
    features, counts = torch.randn(2, 170, 3, dtype=torch.float64), torch.tensor([170, 70])
    slopes = delta(features, counts, window)
    width = 1 if window is None else window // 2
    weights = torch.arange(-width, width + 1, dtype=torch.float64)
    scale = 1 if window is None else weights.square().sum()
    for clip, frame in [(0, 0), (0, 31), (0, 32), (0, 50), (0, 169), (1, 69), (1, 65)]:
        places = (torch.arange(-width, width + 1) + frame).clamp(0, int(counts[clip]) - 1)
        expected = weights @ features[clip, places] / scale
        assert torch.allclose(slopes[clip, frame], expected)
