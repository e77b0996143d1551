"""One purchase from end to end, told step by step."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import from_base_units, plain
from pepay_sandbox.demo.paying import Share, pay_invoice
from pepay_sandbox.demo.shop import PRICE, PRODUCT

if TYPE_CHECKING:
    from collections.abc import Callable

    from pepay_sandbox.demo.catcher import Received
    from pepay_sandbox.demo.running import Demo
    from pepay_sandbox.demo.shop import Choice

LIMIT_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """What happened, in seconds after the invoice was asked for; ``source`` is ``api``, ``wallet`` or ``webhook``."""

    seconds: float
    source: str
    what: str
    detail: str = ""

    def body(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}


async def purchase(demo: Demo, choice: Choice, tell: Callable[[Step], None]) -> bool:
    """Buy once with what the shop offers; return whether the invoice was paid and a genuine webhook said so exactly once, within a minute."""
    start = time.monotonic()

    def note(source: str, what: str, detail: str = "") -> None:
        tell(Step(time.monotonic() - start, source, what, detail))

    def arrived(received: Received) -> None:
        signatures = "both signatures valid" if received.genuine else "SIGNATURE INVALID"
        note("webhook", received.type, signatures + (", again" if received.repeat else ""))

    demo.catcher.listeners.append(arrived)
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await _buy(demo, choice, note)
    except TimeoutError:
        note("api", f"not paid within {LIMIT_SECONDS} s")
        return False
    finally:
        demo.catcher.listeners.remove(arrived)


async def _buy(demo: Demo, choice: Choice, note: Callable[..., None]) -> bool:
    invoice = await demo.api.create_invoice(PRICE, description=PRODUCT, pay_with=choice.asset)
    number = invoice["id"]
    note("api", f"{number} {invoice['status']}", f"${invoice['amount']}")
    sent = await pay_invoice(demo.api, demo.purse, number, Share.FULL, preferred=choice.asset)
    note("wallet", f"sent {plain(from_base_units(sent.units, choice.decimals), places=2)} {sent.symbol}", sent.transaction)

    seen = _state(invoice)
    while True:
        invoice = await demo.api.invoice(number)
        if _state(invoice) != seen:
            seen = _state(invoice)
            note("api", *seen)
        told = [each for each in demo.catcher.about(number) if each.type == "invoice.paid"]
        if invoice["status"] == "paid" and told:
            return bool(invoice["fulfil"]) and len(told) == 1 and told[0].genuine
        await asyncio.sleep(_POLL_SECONDS)


def _state(invoice: dict[str, Any]) -> tuple[str, str]:
    return invoice["status"], ", ".join(_progress(each) for each in invoice["payments"])


def _progress(payment: dict[str, Any]) -> str:
    if payment["confirmations_required"] is None:  # the chain itself says when it is final
        return payment["status"]
    return f"{payment['confirmations']} of {payment['confirmations_required']} confirmations"
