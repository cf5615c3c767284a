"""What a score means: its probability, and where real and fake are parted; `calibration.json`."""
