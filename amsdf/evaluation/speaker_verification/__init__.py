"""Detection together with speaker verification: its scores, and figures of both."""
