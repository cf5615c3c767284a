"""A verdict in words that a lay person understands, and that never contradict each other."""

import pytest

from amsdf.scoring.verdict import Span, Window, chance_in_words, join_spans, places


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1.0, "not machine-made is over 99 in 100."),
        (0.93, "not machine-made is 93 in 100."),
        (0.5, "not machine-made is 50 in 100."),
        (0.2, "is machine-made is 80 in 100."),
        (0.0, "is machine-made is over 99 in 100."),
    ],
)
def test_a_chance_is_of_what_is_more_probable(probability, words):
    assert chance_in_words(probability).endswith(words)


def test_a_chance_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"1\.5 is not between 0 and 1"):
        chance_in_words(1.5)


def test_windows_that_touch_are_one_span():
    windows = [Window(start, start + 2.0, 0.0) for start in (0.0, 1.0, 3.0, 7.0)]
    assert join_spans(windows) == (Span(0.0, 5.0), Span(7.0, 9.0))
    assert join_spans([]) == ()


def test_many_places_are_counted():
    spans = [Span(float(at), at + 0.5) for at in range(5)]
    assert places(spans[:2]) == "0.0 to 0.5 s, 1.0 to 1.5 s"
    assert places(spans) == "0.0 to 0.5 s, 1.0 to 1.5 s, 2.0 to 2.5 s, and 2 more"
