"""Paying an invoice from the test wallet, as its buyer would: what the quote says, to where it says."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pepay_core.api import InvalidInput

if TYPE_CHECKING:
    from pepay_sandbox.demo.api import Api
    from pepay_sandbox.demo.purse import Payer


class Share(enum.Enum):
    """How much of what is asked is paid."""

    FULL = "full"
    UNDER = "under"
    OVER = "over"

    def of(self, units: int) -> int:
        """Return this much of a number of base units: all, three fifths, or five quarters."""
        return {Share.FULL: units, Share.UNDER: units * 3 // 5, Share.OVER: units * 5 // 4}[self]


@dataclass(frozen=True, slots=True)
class Sent:
    """A payment on its way."""

    transaction: str
    asset: str
    symbol: str
    units: int


async def pay_invoice(api: Api, wallet: Payer, invoice: str, share: Share, *, preferred: str) -> Sent:
    """Pay an invoice in the asset that was chosen, or in ``preferred`` where none was yet. Raises what the API or the node refuses with."""
    chosen = _chosen(await api.invoice(invoice)) or _chosen(await api.choose(invoice, preferred))
    if chosen is None:
        raise InvalidInput(f"invoice {invoice[:40]} has nothing to pay: it offers no quote")
    units = share.of(int(chosen["quote"]["amount_base_units"]))
    if not units:
        raise InvalidInput("nothing is left to pay: wait until what was sent is confirmed")
    transaction = await wallet.pay(chosen["asset"], chosen["destination"], units, reference=chosen.get("reference"))
    return Sent(transaction, chosen["asset"], chosen["symbol"], units)


def _chosen(invoice: dict[str, Any]) -> dict[str, Any] | None:
    return next((each for each in invoice["payment_options"] if each["quote"] and each["destination"]), None)
