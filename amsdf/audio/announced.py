"""How long a file says it is: a download that broke off says more than is there."""

from io import BytesIO
from pathlib import Path


def announced_seconds(place: Path | BytesIO) -> float | None:
    """Seconds that the header of a file announces; None where it does not say."""
    if isinstance(place, BytesIO):
        head = place.getvalue()[:26]
    else:
        with place.open("rb") as file:
            head = file.read(26)
    if not head.startswith(b"fLaC"):
        return None
    rate, samples = int.from_bytes(head[18:21], "big") >> 4, int.from_bytes(head[21:26], "big")
    return samples % (1 << 36) / rate if rate else None
