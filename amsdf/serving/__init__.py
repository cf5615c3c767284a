"""People and programs that ask: HTTP API and page, live audio, a detector without torch."""
