"""Encoders: waveform to nodes, one file a family."""
