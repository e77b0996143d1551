"""Our own static files, each under the one name that it has, and small on the wire."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath  # noqa: TC002 - Litestar reads the annotations

from pepay_core.domain.errors import NotFound
from pepay_core.web.operations import ANYBODY
from pepay_core.web.templating import STATIC

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
# The addresses of our own files change with their content.
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent: as it is, and compressed where that makes it smaller."""

    media_type: str
    plain: bytes
    packed: bytes | None
    tag: str


@cache
def assets() -> Mapping[str, Asset]:
    """Return every static file by its path; what is not among them is not served."""
    return {path.relative_to(STATIC).as_posix(): _asset(path) for path in sorted(STATIC.rglob("*")) if path.is_file() and path.suffix in _TYPES}


def _asset(path: Path) -> Asset:
    plain = path.read_bytes()
    packed = gzip.compress(plain, 9, mtime=0)
    return Asset(_TYPES[path.suffix], plain, packed if len(packed) < len(plain) * 0.9 else None, sha256(plain).hexdigest()[:24])


@get("/static/{file_path:path}", opt={"access": ANYBODY}, sync_to_thread=False)
def static(request: Request[Any, Any, Any], file_path: FromPath[str]) -> Response[bytes]:
    """Return a static file, or nothing where the browser has it."""
    asset = assets().get(str(file_path).lstrip("/"))
    if asset is None:
        raise NotFound("there is no such file")
    packed = asset.packed if _takes_gzip(request.headers.get("accept-encoding", "")) else None
    tag = f'"{asset.tag}{"-gz" if packed else ""}"'
    headers = {"Cache-Control": _FOR_EVER, "ETag": tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=304, headers=headers, media_type=asset.media_type)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(packed or asset.plain, headers=headers, media_type=asset.media_type)


def _takes_gzip(accepted: str) -> bool:
    """Tell whether a client says that it can unpack; one that refuses says so with a weight of nothing."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


HANDLERS: Final = (static,)
