"""What a recording is: where its bytes are, what its file may be called, and how it is refused."""

from io import BytesIO
from pathlib import Path
from typing import BinaryIO

#: A recording: a file, the bytes of one, or an open binary file.
Source = Path | str | bytes | BinaryIO
_FILMS = ".mp4 .m4v .mov .mkv .webm .avi .wmv .asf .flv .mpg .mpeg .3gp .3g2 .ogv"
_SOUNDS = (
    ".wav .wave .w64 .rf64 .flac .aif .aiff .aifc .au .snd .caf .sph .wv .ape .tta .mp2 .mp3 .m4a "
    ".m4b .aac .ac3 .wma .ogg .oga .opus .spx .weba .mka .amr .gsm"
)
#: Files that are decoded slowly, for their pictures.
FILMS = frozenset(_FILMS.split())
#: What is taken for a recording in a folder; a single file is tried whatever its name.
SUFFIXES = FILMS.union(_SOUNDS.split())


class AudioError(ValueError):
    """A recording that cannot be used; the message names the file and the remedy."""

    def __init__(self, path: Path | str, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type["AudioError"], tuple[Path | str, str]]:
        """What a worker process sends is rebuilt from what it was made of."""
        return type(self), (self.path, self.reason)


class CutOffError(AudioError):
    """A recording of which only the first part is there, and was given."""


def located(source: Source) -> tuple[str, Path | BytesIO]:
    """What errors call a recording, and where its bytes are."""
    place: Path | BytesIO
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            reason = "is a folder, not a recording" if path.is_dir() else "no such file"
            raise AudioError(path, reason)
        size, name, place = path.stat().st_size, str(path), path
    else:
        content = source if isinstance(source, bytes) else source.read()
        name = str(getattr(source, "name", "the recording"))
        size, place = len(content), BytesIO(content)
    if not size:
        raise AudioError(name, "has zero bytes; copy or download it again")
    return name, place
