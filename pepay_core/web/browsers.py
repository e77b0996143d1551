"""How browsers are known again, and how their own pages are told from everybody else's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from litestar.datastructures import Cookie

from pepay_core.web.problems import ForgedRequest

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from pepay_core.secrets import Vault

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
HEADER: Final = "x-csrf-token"
FIELD: Final = "csrf_token"

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Browsers:
    """Names the cookies, and makes and checks the tokens that only our own pages can know.

    Over TLS the cookies are bound to this host and never sent without TLS. There are two: of a session, and of the door, which a
    browser has before it has a session, so that nobody can be signed in by somebody else's form.
    """

    def __init__(self, vault: Vault, base_url: str) -> None:
        self._key = vault.derive("csrf")
        self._secure = base_url.startswith("https://")
        prefix = "__Host-" if self._secure else ""
        self.session = f"{prefix}pepay_session"
        self.door = f"{prefix}pepay_door"

    def session_of(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
        """Return the token of the session that a browser brings."""
        return self._cookie(connection, self.session)

    def door_of(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
        """Return the token that a browser has got before it signs in."""
        return self._cookie(connection, self.door)

    @staticmethod
    def new_door() -> str:
        """Return a token for a browser that has none."""
        return secrets.token_urlsafe(32)

    def keep(self, name: str, token: str) -> Cookie:
        """Return the cookie that keeps a token until the browser is closed."""
        return Cookie(key=name, value=token, path="/", secure=self._secure, httponly=True, samesite="lax")

    def drop(self, name: str) -> Cookie:
        """Return the cookie that makes a browser forget a token."""
        return Cookie(key=name, value="", max_age=0, path="/", secure=self._secure, httponly=True, samesite="lax")

    def csrf(self, token: str) -> str:
        """Return what a page must send along: bound to the token, and not to be found without the installation's key."""
        return base64.urlsafe_b64encode(hmac.digest(self._key, token.encode(), hashlib.sha256)).rstrip(b"=").decode()

    def insist_on_csrf(self, token: str | None, given: str | None) -> None:
        """Raise ForgedRequest unless what was sent along belongs to the token."""
        wanted = self.csrf(token) if token else ""
        if not wanted or not hmac.compare_digest(wanted.encode(), (given or "").encode("utf-8", "surrogatepass")):
            raise ForgedRequest(f"send the token of this session as {HEADER}, or in the form as {FIELD}")

    def insist_on_own_page(self, connection: ASGIConnection[Any, Any, Any, Any], *, navigation: bool = False) -> None:
        """Raise ForgedRequest when a browser says that another origin's page makes the request.

        ``navigation``: somebody may follow a link here from anywhere. Browsers that say nothing of it are left to the token.
        """
        headers = connection.headers
        origins, sites = headers.getall("origin", []), headers.getall("sec-fetch-site", [])
        if origins == ["null"] and sites == ["same-origin"]:
            # So browsers say for forms of pages that tell nobody where they are; no page can say it for them.
            origins = []
        if origins and (len(origins) > 1 or not self._is_own(origins[0], headers.get("host", ""))):
            raise ForgedRequest("the request comes from a page of another origin")
        if sites and sites != ["same-origin"] and not (sites == ["none"] and connection.scope.get("method") in SAFE):
            if navigation and headers.get("sec-fetch-mode") == "navigate" and connection.scope.get("method") in SAFE:
                return
            raise ForgedRequest("the request comes from a page of another origin")

    def _is_own(self, origin: str, host: str) -> bool:
        # The host was compared with the configured ones already; TLS may end at a proxy, so only a downgrade is told by the scheme.
        parts = urlsplit(origin)
        schemes = {"https"} if self._secure else {"http", "https"}
        return parts.scheme in schemes and parts.netloc.lower() == host.lower() and origin.lower() == f"{parts.scheme}://{parts.netloc}".lower()

    @staticmethod
    def _cookie(connection: ASGIConnection[Any, Any, Any, Any], name: str) -> str | None:
        """Return a cookie's value; None where two have the name, because one of them is then from another host of the domain."""
        pairs = (pair.partition("=") for line in connection.headers.getall("cookie", []) for pair in line.split(";"))
        values = [value.strip() for key, _, value in pairs if key.strip() == name]
        return values[0] if len(values) == 1 and _TOKEN.fullmatch(values[0]) else None
