"""What frozen encoders give, kept on disk by content, for later epochs, heads and seeds."""
