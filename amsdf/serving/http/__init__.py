"""The HTTP API: requests in, verdicts out, within limits."""
