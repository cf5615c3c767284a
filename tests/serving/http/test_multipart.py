"""The file in a form, wherever the chunks of the form end."""

import numpy as np
import pytest
from served import form

from amsdf.serving.http.errors import ApiError
from amsdf.serving.http.recordings.multipart import FilePart, boundary_of

CONTENT = b"RIFF\r\n--xY\r\n\r\n--xY\n--xYz--\r\r\n" + bytes(range(256)) + b"\r\n"


def content_of(chunks, mark=b"xYz") -> bytes:
    part = FilePart(mark)
    found = b"".join(piece for chunk in chunks for piece in part.feed(chunk))
    part.finish()
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_the_content_is_the_same_however_it_is_cut(size):
    whole = form(CONTENT)
    for start in range(min(size, 7)):
        pieces = [whole[:start], *(whole[at : at + size] for at in range(start, len(whole), size))]
        assert content_of(pieces) == CONTENT


def test_a_form_may_be_written_in_many_ways():
    whole = form(CONTENT)
    before = b"a preamble\r\n" + whole + b"an epilogue"
    plain = whole.replace(b'name="file"', b"name=file")
    lower = whole.replace(b"Content-Disposition", b"content-disposition")
    first = whole.replace(b'name="file"; filename="call.wav"', b'filename="call.wav"; name="file"')
    tricked = whole.replace(b'filename="call.wav"', b'filename="x; name=other"')
    for each in (before, plain, lower, first, tricked):
        assert content_of([each]) == CONTENT
    for kind in (
        "multipart/form-data; boundary=xYz",
        'multipart/form-data; charset=utf-8; boundary="xYz"',
        "multipart/form-data; Boundary=xYz; a=b",
    ):
        assert boundary_of(kind) == b"xYz"


def test_nothing_of_a_long_field_is_held():
    """Neither content, nor a field that nobody wants."""
    part = FilePart(b"xYz")
    start = form(b"", field="other").removesuffix(b"\r\n--xYz--\r\n")
    assert not list(part.feed(start))
    for _ in range(50):
        assert not list(part.feed(bytes(10_000)))
        assert len(part._held) < 100


def test_random_bytes_are_refused_and_never_hang():
    rng = np.random.default_rng(0)
    whole = form(CONTENT)
    for _ in range(300):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            broken[place] = rng.integers(0, 256)
        try:
            content_of([bytes(broken)])
        except ApiError as error:
            assert error.status in (400, 422)
