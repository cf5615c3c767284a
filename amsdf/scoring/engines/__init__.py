"""Engines that score beside this process: the extra `ray` spreads the work over many machines."""
