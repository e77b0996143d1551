"""The script by which a shop's page opens the checkout: ``/embed/v1.js`` stays compatible, and each release has an address that never changes."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from hashlib import sha384
from typing import Any, Final

from litestar import Response, get
from litestar.params import FromPath  # noqa: TC002 - Litestar reads the annotations

from pepay_core.domain.errors import NotFound
from pepay_core.web.operations import ANY_ORIGIN, ANYBODY
from pepay_core.web.templating import STATIC

VERSION: Final = "1.0.0"
"""The release of the script; it grows when the script changes, and the one before moves to ``static/embed/``."""
CURRENT: Final = "v1"

_CHANGES: Final = "public, max-age=3600"
_STAYS: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Release:
    """One release of the script, and what a page writes into ``integrity`` to get this one and no other."""

    version: str
    text: bytes

    @property
    def integrity(self) -> str:
        """The hash for ``integrity`` (Subresource Integrity)."""
        return "sha384-" + base64.b64encode(sha384(self.text).digest()).decode()


@cache
def releases() -> dict[str, Release]:
    """Return every release that is kept, by its version."""
    kept = {path.stem: Release(path.stem, path.read_bytes()) for path in sorted(STATIC.glob("embed/*.js"))}
    return kept | {VERSION: Release(VERSION, (STATIC / "embed.js").read_bytes())}


@get("/embed/{name:str}", opt={"access": ANYBODY}, sync_to_thread=False)
def script(name: FromPath[str]) -> Response[Any]:
    """Return a release of the script, the newest as ``v1.js``, or the list of all as ``v1.json``."""
    if name == f"{CURRENT}.json":
        listed = [{"version": each.version, "url": f"/embed/{each.version}.js", "integrity": each.integrity} for each in releases().values()]
        return Response({"object": "embed", "current": VERSION, "releases": listed}, headers={**ANY_ORIGIN, "Cache-Control": _CHANGES})
    wanted, _, kind = name.rpartition(".")
    release = releases().get(VERSION if wanted == CURRENT else wanted)
    if release is None or kind != "js":
        raise NotFound("there is no such release of the script")
    caching = _CHANGES if wanted == CURRENT else _STAYS
    return Response(release.text, media_type="text/javascript", headers={**ANY_ORIGIN, "Cache-Control": caching})


HANDLERS: Final = (script,)
