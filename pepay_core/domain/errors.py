"""Every error PePay raises on purpose.

::

    PePayError
    ├── Refused             understood and declined                    -> 4xx
    │   ├── InvalidInput        a field is not what it must be         -> 422
    │   │   ├── InvalidAmount       not a plain decimal, or too precise
    │   │   ├── InvalidAddress      not an address of this chain
    │   │   └── AmountOutOfRange    outside what an invoice may ask
    │   ├── UnknownAsset        no running plugin knows this asset     -> 422
    │   ├── AssetNotAccepted    the merchant or invoice excludes it    -> 422
    │   ├── NoDestination       no wallet can issue an address         -> 422
    │   ├── InvoiceClosed       the invoice can no longer be changed   -> 409
    │   ├── AssetLocked         a payment has fixed the asset          -> 409
    │   ├── Conflict            contradicts something stored           -> 409
    │   ├── IdempotencyConflict same key, another request              -> 409
    │   ├── RequestInProgress   same key, still running                -> 409 + Retry-After
    │   ├── NotFound            there is no such thing here            -> 404
    │   ├── Unauthenticated     no key, or not a valid one             -> 401
    │   ├── KeyExpired          the key's time is over                 -> 401
    │   ├── KeyNotYetValid      the key's time has not come            -> 401
    │   ├── KeyRevoked          the key was withdrawn                  -> 401
    │   ├── SignInFailed        not these words                        -> 401
    │   ├── PasskeyUnknown      nobody's passkey any more           -> 401
    │   ├── InvalidGrant        a shop's code is not good any more     -> 400
    │   ├── Forbidden           the key may not do this                -> 403
    │   ├── MerchantSuspended   the merchant is closed for now         -> 403
    │   ├── EgressRefused       the address is not a public one        -> 422
    │   └── RateLimited         too many requests                      -> 429 + Retry-After
    ├── Unavailable         something we depend on is down             -> 503 + Retry-After
    │   ├── ChainUnavailable
    │   ├── RatesUnavailable
    │   └── StorageUnavailable
    ├── ConfigError         the operator must change something         -> exit 78
    │   └── PluginError
    │       ├── PluginMissing PluginAmbiguous PluginIncompatible
    │       └── PluginBroken  PluginConflict
    ├── NotReady            start me again later                       -> retried with back-off
    └── signals between contracts and core
        ├── CursorOrphaned  the block to resume after left the chain
        └── GiveUp          this delivery must not be tried again

An error is raised with data; its text is built here, once, and never holds a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from pepay_core.domain.chains import Block


class PePayError(Exception):
    """The root: catch this to handle everything PePay raises on purpose."""

    code: ClassVar[str] = "error"
    """The stable word by which clients recognise the error."""


# --- Refused ---------------------------------------------------------------------


class Refused(PePayError):
    """Understood and declined; repeating the same request gives the same answer."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 422

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidInput(Refused):
    """A field does not have the form it must have."""

    code = "invalid_request"


class InvalidAmount(InvalidInput):
    """Not a plain decimal number, or more precise than its currency."""

    code = "invalid_amount"


class InvalidAddress(InvalidInput):
    """Not an address of this chain; raised with the text as it came."""

    code = "invalid_address"

    def __init__(self, text: str, reason: str = "not an address of this chain", *, field: str | None = None) -> None:
        super().__init__(f"{text[:80]!r}: {reason}", field=field)
        self.text = text
        self.reason = reason


class AmountOutOfRange(InvalidInput):
    """The amount is smaller or larger than an invoice may ask."""

    code = "amount_out_of_range"


class UnknownAsset(Refused):
    """No running plugin knows this asset, or any on this chain."""

    code = "unknown_asset"

    def __init__(self, asset: str, *, field: str | None = None, what: Literal["asset", "chain"] = "asset") -> None:
        listed = "GET /api/v1/tokens lists" if what == "asset" else "GET /api/v1/chains and `pepay chain status` list"
        super().__init__(f"no running plugin knows the {what} {asset[:160]!r}; {listed} those that are", field=field)
        self.asset = asset


class AssetNotAccepted(Refused):
    """The asset is known, but the merchant or this invoice does not accept it."""

    code = "asset_not_accepted"


class NoDestination(Refused):
    """No wallet of the merchant can issue an address on this chain."""

    code = "no_destination"


class InvoiceClosed(Refused):
    """The invoice has reached a state in which this can no longer be done."""

    code = "invoice_closed"
    status = 409


class AssetLocked(Refused):
    """A payment has arrived in one asset, and the rest is asked in the same."""

    code = "asset_locked"
    status = 409


class Conflict(Refused):
    """Contradicts something that is already stored."""

    code = "conflict"
    status = 409


class IdempotencyConflict(Refused):
    """The idempotency key was used for a different request."""

    code = "idempotency_conflict"
    status = 409


class RequestInProgress(Refused):
    """A request with this idempotency key is still running."""

    code = "request_in_progress"
    status = 409

    def __init__(self, message: str = "a request with this idempotency key is still running", *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotFound(Refused):
    """There is no such object, or it belongs to somebody else."""

    code = "not_found"
    status = 404


class Unauthenticated(Refused):
    """No API key was sent, or it is not a valid one."""

    code = "unauthenticated"
    status = 401


class KeyExpired(Unauthenticated):
    """The API key's time is over."""

    code = "api_key_expired"


class KeyNotYetValid(Unauthenticated):
    """The API key's time has not come yet."""

    code = "api_key_not_yet_valid"


class KeyRevoked(Unauthenticated):
    """The API key was withdrawn."""

    code = "api_key_revoked"


class InvalidGrant(Refused):
    """The code with which a shop fetches its key was never given, was used, is too old, or is not this shop's."""

    code = "invalid_grant"
    status = 400

    def __init__(self, message: str = "this code is not good any more, or not for whoever sent it: let the merchant connect the shop again") -> None:
        super().__init__(message)


class Forbidden(Refused):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403


class SignInFailed(Unauthenticated):
    """No such user, another password, another code, a user who is suspended: one error, which does not tell which."""

    code = "sign_in_failed"

    def __init__(self, message: str = "that did not match: check what you typed") -> None:
        super().__init__(message)


class PasskeyUnknown(SignInFailed):
    """The passkey is no user's: it was removed here, or was made for another server that had this address."""

    code = "passkey_unknown"

    def __init__(self) -> None:
        super().__init__("this passkey is not known here any more: sign in with your password")


class MerchantSuspended(Forbidden):
    """Whoever runs the server has suspended the merchant: what is owed is still watched and credited, and nothing new begins."""

    code = "merchant_suspended"

    def __init__(self, message: str = "this merchant is suspended; ask whoever runs this server") -> None:
        super().__init__(message)


class EgressRefused(Refused):
    """The URL leads to an address that PePay does not connect to."""

    code = "url_not_allowed"


class RateLimited(Refused):
    """Too many requests; ``retry_after`` is in seconds."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str = "too many requests", *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


# --- Unavailable -----------------------------------------------------------------


class Unavailable(PePayError):
    """Something PePay depends on is down; ``retry_after`` is in seconds."""

    code: ClassVar[str] = "unavailable"
    status: ClassVar[int] = 503

    def __init__(self, message: str, *, retry_after: int = 10) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class ChainUnavailable(Unavailable):
    """No endpoint of the chain gives a usable answer."""

    code = "chain_unavailable"


class RatesUnavailable(Unavailable):
    """Too few providers agree on a rate, so there is none; ``reason`` says why."""

    code = "rates_unavailable"

    def __init__(self, message: str, *, reason: str = "", retry_after: int = 10) -> None:
        super().__init__(message, retry_after=retry_after)
        self.reason = reason or message


class StorageUnavailable(Unavailable):
    """The database does not answer."""

    code = "storage_unavailable"


# --- Configuration ---------------------------------------------------------------


class ConfigError(PePayError):
    """The operator must change something; ``hint`` says what."""

    code: ClassVar[str] = "config"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}\n  -> {hint}" if hint else message)
        self.message = message
        self.hint = hint


class PluginError(ConfigError):
    """A plugin cannot be used; raised with its name."""

    code = "plugin"

    def __init__(self, plugin: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"plugin {plugin}: {message}", hint=hint)
        self.plugin = plugin
        self.reason = message


class PluginMissing(PluginError):
    """Enabled or required, but not installed."""

    code = "plugin_missing"


class PluginAmbiguous(PluginError):
    """Two installed distributions claim the same name."""

    code = "plugin_ambiguous"


class PluginIncompatible(PluginError):
    """Made for another version of PePay."""

    code = "plugin_incompatible"


class PluginBroken(PluginError):
    """It raised, or contributed something that is not what the hook asks for."""

    code = "plugin_broken"


class PluginConflict(PluginError):
    """Two plugins contribute the same thing."""

    code = "plugin_conflict"


class NotReady(PePayError):
    """Cannot start yet; the same start is tried again with back-off."""

    code: ClassVar[str] = "not_ready"


# --- Signals ---------------------------------------------------------------------


class CursorOrphaned(PePayError):
    """The block to resume after is no longer on the chain: walk back."""

    code: ClassVar[str] = "cursor_orphaned"

    def __init__(self, block: Block) -> None:
        super().__init__(f"block {block.height} {block.hash} is no longer on the chain")
        self.block = block


class GiveUp(PePayError):
    """The receiver does not want this delivery; do not try again."""

    code: ClassVar[str] = "give_up"
