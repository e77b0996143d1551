"""Users, what they are to merchants, and the sessions in which they act."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.ids import InvitationId, MerchantId, PasskeyId, SessionId, UserId
    from pepay_core.domain.roles import Role


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in. Address, password hash and one-time-code secret are sealed; the address is found by a keyed digest.

    ``epoch`` counts what ends every session at once: a new password, another second factor, a suspension.
    ``totp_step`` is the last time step whose code was used; a secret whose ``totp_since`` is None waits for its first code.
    """

    id: UserId
    name: str
    email: bytes = field(repr=False)
    email_digest: str = field(repr=False)
    password: bytes = field(repr=False)
    created_at: datetime
    is_admin: bool = False
    epoch: int = 0
    suspended_at: datetime | None = None
    totp: bytes | None = field(default=None, repr=False)
    totp_since: datetime | None = None
    totp_step: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """What a user is to a merchant."""

    merchant: MerchantId
    user: UserId
    role: Role
    created_at: datetime


class Level(StrEnum):
    """How far somebody has signed in: ``pending`` has shown a password and still owes the second factor."""

    PENDING = "pending"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in. ``digest`` is the SHA-256 of the token that the browser holds; the token is stored nowhere.

    ``challenge`` is what a passkey is to sign next, until ``challenge_until``; whoever uses it up takes it out.
    """

    id: SessionId
    digest: str = field(repr=False)
    user: UserId
    epoch: int
    level: Level
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    authenticated_at: datetime
    address: str | None = None
    agent: str | None = None
    challenge: bytes | None = field(default=None, repr=False)
    challenge_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Passkey:
    """A key pair whose private half never leaves a user's device. ``signatures`` counts what it has signed, where it counts."""

    id: PasskeyId
    user: UserId
    name: str
    credential: bytes
    public_key: bytes
    signatures: int
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """The right to register once, under one address; of its token only a digest is stored."""

    id: InvitationId
    digest: str = field(repr=False)
    email: bytes = field(repr=False)
    email_digest: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    invited_by: str
    merchant: MerchantId | None = None
    role: Role | None = None
    is_admin: bool = False


class Errand(StrEnum):
    """What a link in a letter is for."""

    RESET = "reset"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class MailedLink:
    """A link that was sent to a user and works once; ``email`` is the new address, sealed, where it is to be changed."""

    digest: str = field(repr=False)
    user: UserId
    errand: Errand
    created_at: datetime
    expires_at: datetime
    email: bytes | None = field(default=None, repr=False)
    email_digest: str | None = field(default=None, repr=False)
