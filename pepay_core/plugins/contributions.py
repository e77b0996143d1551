"""Whether what a plugin contributes is what it must be, beyond being of the right class: looked at before anything relies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.contracts.chain import Chain
from pepay_core.domain.assets import Token, canonical_asset, chain_id, chain_of
from pepay_core.domain.chains import Feature, Finality
from pepay_core.domain.errors import InvalidInput
from pepay_core.plugins.problems import told

if TYPE_CHECKING:
    from collections.abc import Callable

# No coin has more, and 10**78 is beyond what 256 bits hold.
_MOST_DECIMALS = 77


def looked_at(fault: Callable[[object], str | None], value: object) -> str | None:
    """Return what is wrong with a value; one that cannot even be looked at is wrong."""
    try:
        return fault(value)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # noqa: BLE001 - a property of somebody else's class may raise anything
        return f"gave a {type(value).__name__} that cannot be looked at: {told(exc)}"


def chain_fault(chain: object) -> str | None:
    """Return what is wrong with a chain, or None."""
    assert isinstance(chain, Chain)
    name = type(chain).__name__
    for attribute, kind in (
        ("id", str),
        ("name", str),
        ("native", str),
        ("testnet", bool),
        ("idle", bool),
        ("finality", Finality),
        ("features", Feature),
    ):
        value = getattr(chain, attribute, None)
        if not isinstance(value, kind):
            return f"{name}.{attribute} must be a {kind.__name__}, not a {type(value).__name__}"
    try:
        chain_id(chain.id)
        native = canonical_asset(chain.native)
    except InvalidInput as exc:
        return f"{name}: {exc}"
    if chain_of(native) != chain.id:
        return f"{name}.native {native} is not an asset of the chain {chain.id}"
    return None


def token_fault(token: object) -> str | None:
    """Return what is wrong with a token, or None."""
    assert isinstance(token, Token)
    for attribute in ("id", "symbol", "rate_id", "name"):
        if not isinstance(getattr(token, attribute), str):
            return f"Token.{attribute} must be a str, not a {type(getattr(token, attribute)).__name__}"
    try:
        canonical = canonical_asset(token.id)
    except InvalidInput as exc:
        return f"Token.id {exc}"
    if canonical != token.id:
        return f"Token.id {token.id} must be written {canonical}"
    if type(token.decimals) is not int or not 0 <= token.decimals <= _MOST_DECIMALS:
        return f"{token.id} has {token.decimals!r} decimals; a whole number from 0 to {_MOST_DECIMALS} is possible"
    if not token.symbol:
        return f"{token.id} has no symbol"
    return None


def name_fault(attribute: str) -> Callable[[object], str | None]:
    """Return the check for things that are known by one short name."""

    def fault(value: object) -> str | None:
        name = getattr(value, attribute, None)
        if not isinstance(name, str) or not name:
            return f"{type(value).__name__}.{attribute} must be a non-empty str"
        return None

    return fault
