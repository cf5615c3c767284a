"""Colours are for people at a terminal alone."""

import io
import sys

import pytest

from amsdf.cli.terminal.colours import painted


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("decision", "code"), [("real", 32), ("fake", 31), ("cannot tell", 33)])
def test_a_decision_has_a_colour_at_a_terminal(monkeypatch, decision, code):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert painted("Words.", decision) == f"\033[1;{code}mWords.\033[0m"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_none_gets_none(monkeypatch, name, value):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv(name, value)
    assert painted("Words.", "fake") == "Words."


def test_a_pipe_gets_none(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert painted("Words.", "fake") == "Words."
