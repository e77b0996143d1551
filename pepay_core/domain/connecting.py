"""How a shop asks a merchant for an API key of its own: what it wants, where it is sent back to, and the proof that it is the one who asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.lifetimes import PRESETS, USUAL
from pepay_core.domain.merchants import KEY_SCOPES
from pepay_core.domain.origins import parse_origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pepay_core.domain.ids import MerchantId, UserId

MAX_NAME: Final = 60
MAX_REDIRECT: Final = 1000
MAX_STATE: Final = 512

WORDS: Final[Mapping[str, str]] = {
    "invoices:read": "see your invoices and payments",
    "invoices:write": "make, change and cancel invoices",
    "webhooks:read": "follow what happens to your invoices",
    "webhooks:write": "decide where events are sent",
    "wallets:read": "see the public addresses that you are paid at",
    "wallets:write": "change the addresses that your buyers pay to",
    "merchant:read": "see your preferences",
    "merchant:write": "change what you accept and how",
    "keys:read": "see your API keys, but not their secrets",
    "keys:write": "make further keys that can do no more than this one, and withdraw keys",
    "reports:read": "see your books",
    "refunds:read": "see refunds and who asks for one",
    "refunds:write": "mark refunds as made or declined",
    "audit:read": "see who did what",
}
"""What each scope lets a shop do, in words for people."""

GRAVE: Final = frozenset({"wallets:write", "keys:write", "webhooks:write", "merchant:write"})
"""What somebody should think about twice."""

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_VISIBLE: Final = re.compile(r"[\x21-\x7e]*", re.ASCII)
_OURS: Final = frozenset({"code", "state", "error"})


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What a shop asks for; ``challenge`` is the SHA-256 of what it alone knows (RFC 7636)."""

    name: str
    scopes: tuple[str, ...]
    redirect: str
    state: str
    challenge: str
    livemode: bool | None = None
    """The environment that the shop asks for, if it does; the member decides."""
    lifetime: int = USUAL

    @property
    def origin(self) -> str:
        """Where the shop is."""
        parts = urlsplit(self.redirect)
        return f"{parts.scheme}://{parts.netloc}"

    def back(self, **said: str) -> str:
        """Return where the member's browser goes back to, with what is said and the shop's own ``state``."""
        said |= {"state": self.state} if self.state else {}
        return f"{self.redirect}{'&' if '?' in self.redirect else '?'}{urlencode(said)}"


@dataclass(frozen=True, slots=True)
class Grant:
    """A member's consent, until the shop fetches its key: of its code only a digest is stored."""

    digest: str = field(repr=False)
    merchant: MerchantId
    user: UserId
    livemode: bool
    name: str
    scopes: tuple[str, ...]
    origin: str
    challenge: str
    lifetime: int
    created_at: datetime
    expires_at: datetime


def read_request(given: Mapping[str, str]) -> ConnectRequest:
    """Return what the query of ``/connect/authorize`` asks for; raises InvalidInput with the name of the parameter that is wrong."""
    redirect = _redirect(given.get("redirect", ""))
    name = " ".join(given.get("application_name", "").split())
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput(f"must be the name of the shop or program, of at most {MAX_NAME} characters", field="application_name")
    wanted = set(re.split(r"[ ,]+", given.get("scopes", "").strip()))
    if not wanted or not wanted <= set(KEY_SCOPES):
        raise InvalidInput(f"must be one or more of {', '.join(KEY_SCOPES)}, with spaces or commas between them", field="scopes")
    state = given.get("state", "")
    if len(state) > MAX_STATE or not _VISIBLE.fullmatch(state):
        raise InvalidInput(f"must be at most {MAX_STATE} visible ASCII characters", field="state")
    if given.get("code_challenge_method") != "S256":
        raise InvalidInput("must be S256", field="code_challenge_method")
    challenge = given.get("code_challenge", "")
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidInput("must be the SHA-256 of the code_verifier in URL-safe base64 without padding: 43 characters", field="code_challenge")
    lifetime = given.get("expires_in", "90d")
    if lifetime not in PRESETS:
        raise InvalidInput(f"must be one of {', '.join(PRESETS)}", field="expires_in")
    environment = given.get("environment")
    if environment not in {None, "test", "live"}:
        raise InvalidInput("must be test or live", field="environment")
    livemode = None if environment is None else environment == "live"
    scopes = tuple(scope for scope in KEY_SCOPES if scope in wanted)
    return ConnectRequest(name, scopes, redirect, state, challenge, livemode, PRESETS[lifetime])


def is_answer(challenge: str, verifier: str) -> bool:
    """Tell whether a verifier is the one whose challenge was given, in a time that does not tell how nearly."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)


def _redirect(text: str) -> str:
    """Return where a shop is sent back to: https, or plain http of this machine, and nothing that could be read in two ways."""
    wrong = InvalidInput("must be an https URL of the shop, or http of this machine, without fragment or user name", field="redirect")
    if not 1 <= len(text) <= MAX_REDIRECT or not _VISIBLE.fullmatch(text) or any(char in text for char in "\\#\"<>^`{|}'"):
        raise wrong
    try:
        parts = urlsplit(text)
        origin = parse_origin(f"{parts.scheme}://{parts.netloc}", field="redirect")
    except ValueError:
        raise wrong from None
    if not text.startswith(f"{origin}/") and not text.startswith(f"{origin}?") and text != origin:
        raise wrong
    taken = _OURS & {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if taken:
        raise InvalidInput(f"must not have a parameter {min(taken)}: PePay adds it", field="redirect")
    return text
