"""The Dockerfile: what can be said of it without an engine."""

import argparse
import json
import re
from pathlib import Path

from amsdf.cli.flags import build_parser

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.*)$", TEXT, re.MULTILINE)


def test_the_image_does_not_run_as_root_and_says_whether_it_is_well() -> None:
    assert instructions("USER") == ["amsdf"]
    last_stage = TEXT.rpartition("\nFROM")[2]
    assert "USER amsdf" in last_stage.partition("ENTRYPOINT")[0]
    (health,) = instructions("HEALTHCHECK")
    words = json.loads(health.partition("CMD ")[2])
    assert words[:2] == ["python", "-c"] and "/healthz" in words[2]
    compile(words[2], "HEALTHCHECK", "exec")


def test_it_starts_a_command_that_exists() -> None:
    (entry,) = instructions("ENTRYPOINT")
    program, *words = json.loads(entry)
    args = build_parser().parse_args(words)
    assert program == "amsdf" and isinstance(args, argparse.Namespace)
    assert (args.command, args.host, args.port) == ("serve", "0.0.0.0", 8000)
    assert instructions("EXPOSE") == [str(args.port)]


def test_what_it_copies_is_sent_to_the_engine() -> None:
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in ("amsdf", "encoders", "heads", "losses", "pretrained_models", "pyproject.toml"):
        assert (ROOT / name).exists() and name not in left_out
    assert "requirements.txt ." in instructions("COPY")
