"""From a file, wherever it lies, to samples: found, decoded, resampled, cut off or not."""
