"""Links that open wallet apps on phones, by the addresses that their makers publish.

A wallet's own browser announces the wallet to the page, whose button then makes the exact payment: token, amount and recipient come from
the server. So the links lead to this page in there; only for a chain's own coin, of which every wallet reads the amount, one leads to the
wallet's form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from pepay_core.domain.assets import family_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# The number that SLIP-44 gives a family's first coin, by which Trust Wallet chooses the network of its browser.
_COINS: Final = {"eip155": 60, "solana": 501}


@dataclass(frozen=True, slots=True)
class AppLink:
    """A wallet by its name, and the address that its app opens."""

    name: str
    url: str


def app_links(option: Mapping[str, Any], page: str, natives: Collection[str]) -> tuple[AppLink, ...]:
    """Return a link for each wallet app that can pay a chosen option. ``page`` is the page's whole address; the apps take https only."""
    if not page.startswith("https://"):
        return ()
    family, whole = family_of(option["chain"]), quote(page, safe="")
    coin = _COINS.get(family)
    if coin is None:
        return ()
    trust = AppLink("Trust Wallet", f"https://link.trustwallet.com/open_url?coin_id={coin}&url={whole}")
    if family == "solana":
        parts = urlsplit(page)
        origin = quote(f"{parts.scheme}://{parts.netloc}", safe="")
        return AppLink("Phantom", f"https://phantom.app/ul/browse/{whole}?ref={origin}"), _metamask(option, page, ()), trust
    return _metamask(option, page, natives), AppLink("Coinbase Wallet", f"https://go.cb-w.com/dapp?cb_url={whole}"), trust


def _metamask(option: Mapping[str, Any], page: str, natives: Collection[str]) -> AppLink:
    if option["asset"] in natives:
        number = option["chain"].partition(":")[2]
        url = f"https://link.metamask.io/send/{option['destination']}@{number}?value={option['quote']['amount_base_units']}"
    else:
        # It is taken as it stands, without the scheme: an encoded address is not opened.
        url = f"https://link.metamask.io/dapp/{page.removeprefix('https://')}"
    return AppLink("MetaMask", url)
