"""Users, what they are to merchants, and their ways of signing in."""

from __future__ import annotations

from piccolo.columns import BigInt, BigSerial, Boolean, Bytea, ForeignKey, Integer, OnDelete, Text
from piccolo.table import Table

from pepay_core.storage.columns import Id
from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.merchants import MerchantRow
from pepay_core.storage.tables.shapes import key, maybe_text, maybe_time, text, time, to


class UserRow(Table, tablename="pepay_user", db=ENGINE):
    """Somebody who signs in; address, password hash and one-time-code secret are sealed."""

    id = key()
    name = text()
    email = Bytea()
    email_digest = Text(unique=True)
    password = Bytea()
    created_at = time()
    is_admin = Boolean()
    epoch = Integer()
    suspended_at = maybe_time()
    totp = Bytea(default=None, null=True)
    totp_since = maybe_time()
    totp_step = BigInt()


class MemberRow(Table, tablename="pepay_member", db=ENGINE):
    """What a user is to a merchant."""

    seq = BigSerial(primary_key=True)
    merchant = to(MerchantRow)
    user_id = to(UserRow, OnDelete.cascade)
    role = text()
    created_at = time()


class SessionRow(Table, tablename="pepay_session", db=ENGINE):
    """A sign-in, by the digest of its token."""

    digest = Text(primary_key=True)
    id = Id(unique=True)
    user_id = to(UserRow, OnDelete.cascade)
    epoch = Integer()
    level = text()
    created_at = time()
    seen_at = time()
    expires_at = time()
    authenticated_at = time()
    address = maybe_text()
    agent = maybe_text()
    challenge = Bytea(default=None, null=True)
    challenge_until = maybe_time()


class PasskeyRow(Table, tablename="pepay_passkey", db=ENGINE):
    """The public half of a user's key pair."""

    id = key()
    user_id = to(UserRow, OnDelete.cascade)
    name = text()
    credential = Bytea(unique=True)
    public_key = Bytea()
    signatures = BigInt()
    created_at = time()
    last_used_at = maybe_time()


class RecoveryCodeRow(Table, tablename="pepay_recovery_code", db=ENGINE):
    """A code that signs in once, by its keyed digest; it goes when it is used."""

    seq = BigSerial(primary_key=True)
    user_id = to(UserRow, OnDelete.cascade)
    digest = text()


class InvitationRow(Table, tablename="pepay_invitation", db=ENGINE):
    """The right to register once; it goes when it is used or withdrawn."""

    id = key()
    digest = Text(unique=True)
    email = Bytea()
    email_digest = text()
    created_at = time()
    expires_at = time()
    invited_by = text()
    merchant = ForeignKey(MerchantRow, on_delete=OnDelete.restrict, null=True)
    role = maybe_text()
    is_admin = Boolean()


class LetterRow(Table, tablename="pepay_letter", db=ENGINE):
    """A link that was sent to a user; it goes when it is used."""

    digest = Text(primary_key=True)
    user_id = to(UserRow, OnDelete.cascade)
    errand = text()
    created_at = time()
    expires_at = time()
    email = Bytea(default=None, null=True)
    email_digest = maybe_text()


class TryRow(Table, tablename="pepay_try", db=ENGINE):
    """How often something was tried in vain, and until when it is not tried again; the name is a keyed digest."""

    name = Text(primary_key=True)
    failures = Integer()
    tried_at = time()
    not_before = time()
