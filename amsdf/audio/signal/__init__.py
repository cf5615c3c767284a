"""Waveforms to waveforms and features, in torch: transforms, padding, one band and loudness."""
