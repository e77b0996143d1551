"""Small raster images that strangers give: what they are is read from their own bytes, whatever is said of them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pepay_core.domain.errors import InvalidInput

MAX_BYTES: Final = 48_000
MAX_SIDE: Final = 2_000

_PNG: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is served as what it is, under a name made from what is in it."""

    media_type: str
    data: bytes

    @property
    def name(self) -> str:
        """The file name, which is another one for every other image."""
        return f"{sha256(self.data).hexdigest()[:16]}.{self.media_type.removeprefix('image/')}"


def read_image(data: bytes, *, field: str) -> Image:
    """Return a PNG or WebP image, or raise InvalidInput."""
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"must have at most {MAX_BYTES} bytes", field=field)
    found = _png(data) or _webp(data)
    if found is None:
        raise InvalidInput("must be a PNG or WebP image", field=field)
    media_type, width, height = found
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise InvalidInput(f"must be at most {MAX_SIDE} pixels wide and high", field=field)
    return Image(media_type, data)


def _png(data: bytes) -> tuple[str, int, int] | None:
    if not (data.startswith(_PNG) and data[12:16] == b"IHDR" and data.endswith(b"IEND\xaeB`\x82")):
        return None
    return "image/png", int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def _webp(data: bytes) -> tuple[str, int, int] | None:
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP" or int.from_bytes(data[4:8], "little") + 8 > len(data) + 1:
        return None
    kind, body = data[12:16], data[20:]
    if kind == b"VP8X":
        width, height = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    elif kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    else:
        return None
    return "image/webp", width, height
