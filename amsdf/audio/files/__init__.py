"""Files to samples: finding, decoding, resampling, and files that are cut off."""
