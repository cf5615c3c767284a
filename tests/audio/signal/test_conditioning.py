"""One band and one loudness for every clip."""

import torch

from amsdf.audio.signal.conditioning import condition, limit_band, set_level
from amsdf.config import Clip
from amsdf.conventions import SAMPLE_RATE

CLIP = Clip(band_hz=(50, 7000), level_db=-26)


def tone(hertz: float) -> torch.Tensor:
    return 0.1 * torch.sin(2 * torch.pi * hertz * torch.arange(SAMPLE_RATE) / SAMPLE_RATE)[None]


def rms(waveform: torch.Tensor) -> float:
    return float(waveform.square().mean().sqrt())


def test_what_is_outside_the_band_goes_and_the_rest_stays() -> None:
    assert rms(limit_band(tone(7800), 50, 7000)) < 0.2 * rms(tone(7800))
    assert rms(limit_band(tone(10), 50, 7000)) < 0.01 * rms(tone(10))
    torch.testing.assert_close(limit_band(tone(1000), 50, 7000), tone(1000), atol=1e-3, rtol=0)


def test_a_loud_and_a_quiet_copy_are_the_same_afterwards() -> None:
    quiet = torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0)) * 0.01
    torch.testing.assert_close(condition(30 * quiet, None, CLIP), condition(quiet, None, CLIP))


def test_pauses_do_not_change_the_level() -> None:
    speech = tone(300)
    with_pause = torch.cat([speech, torch.zeros(1, 32_000)], dim=1)
    torch.testing.assert_close(set_level(with_pause, -26.0)[:, :16_000], set_level(speech, -26.0))


def test_silence_stays_silence() -> None:
    assert not condition(torch.zeros(1, 16_000), None, CLIP).any()


def test_padding_stays_zero() -> None:
    padded = torch.cat([tone(300), torch.zeros(1, 8_000)], dim=1)
    assert not condition(padded, torch.tensor([16_000]), CLIP)[:, 16_000:].any()


def test_nothing_happens_unless_it_is_asked_for() -> None:
    wave = tone(300)
    assert condition(wave, None, Clip()) is wave
