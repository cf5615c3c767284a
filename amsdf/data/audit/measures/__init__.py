"""What can be measured of clips: one by one, in pairs, and class against class."""
