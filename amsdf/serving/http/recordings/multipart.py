"""The file in a form (multipart/form-data), found while the form comes in.

Only the content of the field `file` is kept. The name that the client gives it is not looked at.
"""

import re
from collections.abc import Iterator

from amsdf.serving.http.errors import ApiError

FIELD = "file"
_MOST_HEADER = 8192
_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))""", re.IGNORECASE)
_NAME = re.compile(rb"""(?im)^content-disposition:[^\r\n]*?[;\s]name="?([^"\r\n;]*)"?""")


def boundary_of(content_type: str) -> bytes:
    """What parts the fields of a form."""
    found = _BOUNDARY.search(content_type)
    if not found:
        raise _broken("its content-type names no boundary")
    return (found[1] or found[2]).encode("latin-1")


class FilePart:
    """Takes the chunks of a form and gives the content of its file."""

    def __init__(self, boundary: bytes):
        self._mark = b"\r\n--" + boundary
        # The first mark has no line before it.
        self._held = b"\r\n"
        self._step = self._before
        self._kept = self._found = self._ended = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Content of the file that this chunk completes."""
        self._held += chunk
        more = True
        while more and not self._ended:
            content, more = self._step()
            if content and self._kept:
                yield content
        if self._ended:
            self._held = b""

    def finish(self) -> None:
        """Refuse a form that breaks off, or has no file."""
        if not self._ended:
            raise _broken("it breaks off")
        if not self._found:
            raise ApiError(422, "no_file", f"the form has no field {FIELD!r} with a recording")

    def _before(self) -> tuple[bytes, bool]:
        """In content, or before the first mark: all up to a mark, or what cannot be its begin."""
        at = self._held.find(self._mark)
        if at < 0:
            sure = max(0, len(self._held) - len(self._mark) + 1)
            content, self._held = self._held[:sure], self._held[sure:]
            return content, False
        content, self._held = self._held[:at], self._held[at + len(self._mark) :]
        self._step = self._behind
        return content, True

    def _behind(self) -> tuple[bytes, bool]:
        """Behind a mark: the end, or a line end and the header of a part."""
        self._kept = False
        if self._held.startswith(b"--"):
            self._ended = True
            return b"", False
        if not self._held.startswith(b"\r\n"):
            if len(self._held) >= 2:
                raise _broken("a boundary is followed by something else")
            return b"", False
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            if len(self._held) > _MOST_HEADER:
                raise _broken("the header of a part is too long")
            return b"", False
        self._enter(self._held[:end])
        self._held = self._held[end + 4 :]
        self._step = self._before
        return b"", True

    def _enter(self, header: bytes) -> None:
        name = _NAME.search(header)
        self._kept = name is not None and name[1].decode("latin-1") == FIELD
        if self._kept and self._found:
            raise ApiError(422, "two_files", f"the form has two fields {FIELD!r}; send one")
        self._found = self._found or self._kept


def _broken(what: str) -> ApiError:
    return ApiError(400, "bad_form", f"this is no multipart/form-data: {what}")
