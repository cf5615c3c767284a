"""Several systems on the same trials: compared, fused, or taken as seeds of one recipe."""
