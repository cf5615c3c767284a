"""Fourier transforms as products, against those of torch."""

import pytest
import torch

from amsdf.audio.signal.fourier import (
    _is_quick,
    filtered,
    filtered_by_products,
    spectrum,
    spectrum_by_products,
)
from amsdf.testing import waveforms


@pytest.mark.parametrize(("width", "size"), [(400, 512), (400, 400), (320, 320), (25, 32)])
def test_spectra_of_frames(width: int, size: int) -> None:
    frames = waveforms(2, 4000).unfold(1, width, 160)
    for wanted, found in zip(
        spectrum(frames, size), spectrum_by_products(frames, size), strict=True
    ):
        assert wanted.shape == (*frames.shape[:2], size // 2 + 1)
        torch.testing.assert_close(found, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("samples", [64_000, 64_600, 1600, 15_625, 12, 7])
def test_a_filter_of_whole_clips(samples: int) -> None:
    """Square, even, odd and prime numbers of samples: rows and mirrors differ."""
    clips = waveforms(2, samples).double()
    gain = torch.rand(samples // 2 + 1, dtype=torch.float64)
    found = filtered_by_products(clips, gain)
    torch.testing.assert_close(found, filtered(clips, gain), rtol=0, atol=1e-12)
    assert filtered_by_products(clips.float(), gain.float()).dtype == torch.float32


def test_a_clip_without_divisors_would_need_large_tables() -> None:
    assert _is_quick(64_000) and _is_quick(64_600) and not _is_quick(64_601)
