"""What names a kept view: the encoder that made it, and what it heard."""

import hashlib
import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from amsdf.config import Clip, Component, ScoringRule
from amsdf.config.settings import thaw
from amsdf.contracts import Encoder
from amsdf.data.augmentations.contract import Augmentation
from amsdf.data.augmentations.recordings import FromRecordings
from amsdf.detector.detector import Detector
from amsdf.weights import digest_of_tensors

#: Changes whenever entries of earlier versions must not be read any more.
FORMAT = 1
_Versions = list[tuple[int, int]]
_weights: WeakKeyDictionary[nn.Module, tuple[_Versions, str]] = WeakKeyDictionary()


@dataclass(frozen=True)
class EncoderKey:
    """All that decides what an encoder gives of a waveform, and how it is kept."""

    encoder: str
    settings: dict[str, Any]
    #: Digests of the weights, and of the file with the encoder's code.
    weights: str
    code: str
    precision: str
    stored: str
    form: int = FORMAT

    @property
    def folder(self) -> str:
        """A name for it: the encoder's own, and 16 hexadecimal digits over all."""
        return f"{self.encoder}-{digest_of(vars(self))[:16]}"

    @classmethod
    def of(cls, detector: Detector, view: str, precision: str, stored: str) -> "EncoderKey":
        """The key of one view of a detector, that runs in `precision`."""
        described, encoder = detector.experiment.views[view], detector.encoder(view)
        return cls(
            described.encoder,
            thaw(described.args),
            _weights_of(encoder),
            _code_of(encoder),
            precision,
            stored,
        )


def digest_of(value: Any) -> str:
    """Hexadecimal digits over plain nested values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _weights_of(encoder: Encoder) -> str:
    """Of all weights, hashed again when torch has counted a change of one of them."""
    versions = [(tensor.data_ptr(), tensor._version) for tensor in _tensors(encoder)]
    known = _weights.get(encoder)
    if known is None or known[0] != versions:
        known = _weights[encoder] = (versions, digest_of_tensors(encoder.state_dict()))
    return known[1]


def _tensors(encoder: Encoder) -> Iterator[Tensor]:
    yield from encoder.parameters()
    yield from encoder.buffers()


def _code_of(encoder: Encoder) -> str:
    """Of the file that the encoder's class is in: who changes it means another encoder."""
    file = inspect.getsourcefile(type(encoder))
    content = Path(file).read_bytes() if file and Path(file).is_file() else b""
    return hashlib.sha256(content).hexdigest()[:12]


def part_scope(clip: Clip, rule: ScoringRule) -> str:
    """What makes a recording to the parts that are scored."""
    hop = {"hop": rule.hop} if rule.parts == "windows" and clip.samples is not None else {}
    parts = "windows" if hop else "first"
    fitted = clip.model_dump(include={"samples", "short", "eval_crop", "band_hz", "level_db"})
    return digest_of(["parts", parts, hop, fitted])


def crop_scope(
    clip: Clip, described: Iterable[Component], augment: Augmentation | None, which: str
) -> str:
    """What makes a recording to one of its random training crops, be it 'crop' or 'pair'."""
    changes = [component.model_dump(mode="json") for component in described] if augment else []
    return digest_of(["crop", which, clip.model_dump(), changes, sorted(_recordings_of(augment))])


def _recordings_of(part: object) -> Iterator[str]:
    """The files that an augmentation, and those within it, draws from, with their sizes."""
    if isinstance(part, FromRecordings):
        for path in part.paths:
            yield f"{path}|{path.stat().st_size if path.is_file() else 0}"
    values = vars(part).values() if isinstance(part, Augmentation) else ()
    for value in values:
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, Augmentation):
                yield from _recordings_of(inner)


def sound_key(scope: str, sound: tuple[str, float | None, float | None], *place: int) -> str:
    """A name for what is heard: of a recording's digest, start and end, and a place in its scope.

    32 hexadecimal digits.
    """
    words = f"{scope}|{sound}|{place}"
    return hashlib.sha256(words.encode()).hexdigest()[:32]
