"""What a recording is: where its bytes are, what its file may be called, and how it is refused."""

from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from amsdf.audio.files.shards import ShardError, has_member, read_member, shard_of

#: A recording: a file or what is in a shard, the bytes of one, or an open binary file.
Source = Path | str | bytes | BinaryIO
_FILMS = ".mp4 .m4v .mov .mkv .webm .avi .wmv .asf .flv .mpg .mpeg .3gp .3g2 .ogv"
_ENTERED = (
    ".wav .wave .w64 .rf64 .flac .aif .aiff .aifc .au .snd .caf .sph .mp3 .m4a .m4b .ogg .oga"
)
_FOLLOWED = ".wv .ape .tta .mp2 .aac .ac3 .wma .opus .spx .weba .mka .amr .gsm"
#: Files that are decoded slowly, for their pictures.
FILMS = frozenset(_FILMS.split())
#: Files that are decoded from their beginning, whatever part is asked for.
FOLLOWED = FILMS.union(_FOLLOWED.split())
#: What is taken for a recording in a folder; a single file is tried whatever its name.
SUFFIXES = FOLLOWED.union(_ENTERED.split())


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
        inside = None if path.is_file() else shard_of(path)
        if inside:
            return str(path), BytesIO(_content(path, *inside))
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


def is_there(path: str) -> bool:
    """Whether a path names a file, or a recording in a shard."""
    place = Path(path)
    inside = None if place.is_file() else shard_of(place)
    return has_member(*inside) if inside else place.is_file()


def _content(path: Path, shard: Path, name: str) -> bytes:
    try:
        content = read_member(shard, name)
    except ShardError as error:
        raise AudioError(path, str(error)) from None
    if not content:
        raise AudioError(path, "has zero bytes; make the shard again")
    return content
