"""The actions of the bar: each does to one test payment what a buyer or a network would do, and nothing that a buyer's token would not allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pepay_core.api import InvalidInput, Unavailable, chain_of, encode
from pepay_sandbox.jsonrpc import RpcError
from pepay_sandbox.simulator.chains import MOST_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.api import Http
    from pepay_sandbox.simulator.chains import Hand

ACTIONS: Final[dict[str, str]] = {
    "pay": "Pay in full",
    "under": "Underpay",
    "over": "Overpay",
    "wrong": "Wrong token",
    "block": "+1 block",
    "confirm": "Confirm",
    "reorganise": "Reorganise",
    "expire": "Expire",
    "late": "Late",
}
"""What the bar offers, by what its form sends."""

_SHARES: Final = {"pay": (1, 1), "under": (3, 5), "over": (5, 4), "late": (1, 1)}


class Simulator:
    """Acts on invoices through the buyer's own API, and on the chains by its hands."""

    def __init__(self, http: Http, base_url: str, hands: Mapping[str, Hand]) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self.hands = dict(hands)

    async def act(self, action: str, invoice_id: str, token: str) -> None:
        """Do it; raises Refused or Unavailable with words for the developer."""
        if action not in ACTIONS:
            raise InvalidInput("there is no such action", field="action")
        invoice = await self._buyer("GET", invoice_id, token)
        if invoice["livemode"]:
            raise InvalidInput("nothing is simulated for a real order")
        try:
            await self._do(action, invoice, token)
        except RpcError as exc:
            raise Unavailable(f"the chain declined: {exc.message[:200]}") from exc

    async def _do(self, action: str, invoice: dict[str, Any], token: str) -> None:
        if action in {"expire", "late"} and invoice["status"] in {"unpaid", "underpaid"}:
            option = await self._option(invoice, token) if action == "late" else None
            await self._end(invoice, token)
            if option is not None:
                await self._pay(option, "late")
            return
        if action == "expire":
            raise InvalidInput("the time of this order is over, or it is paid")
        option = await self._option(invoice, token)
        hand = self._hand(option["chain"])
        if action in _SHARES:
            await self._pay(option, action)
        elif action == "wrong":
            await self._pay_wrongly(invoice, option)
        elif action == "block":
            await hand.blocks(1)
        elif action == "confirm":
            await hand.settle()
        elif action == "reorganise":
            await hand.take_back(_depth(invoice))

    async def _end(self, invoice: dict[str, Any], token: str) -> None:
        await self._buyer("POST", invoice["id"], token, "/expire", {})

    async def _pay(self, option: dict[str, Any], how: str) -> None:
        part, whole = _SHARES[how]
        units = int(option["quote"]["amount_base_units"]) * part // whole
        if not units:
            raise InvalidInput("nothing is left to pay")
        await self._hand(option["chain"]).pay(option["asset"], option["destination"], units, option["reference"])

    async def _pay_wrongly(self, invoice: dict[str, Any], option: dict[str, Any]) -> None:
        """Pay in something else that the chain has: five of it, or a hundredth of its own coin."""
        others = [each for each in invoice["payment_options"] if each["chain"] == option["chain"] and each["asset"] != option["asset"]]
        if not others:
            raise InvalidInput(f"{option['network']} has no other asset here")
        other = min(others, key=lambda each: (each["quote"] is not None, "slip44" in each["asset"]))
        units = 10 ** other["decimals"] // 100 if "slip44" in other["asset"] else 5 * 10 ** other["decimals"]
        await self._hand(option["chain"]).pay(other["asset"], option["destination"], units, option["reference"])

    async def _option(self, invoice: dict[str, Any], token: str) -> dict[str, Any]:
        """Return the option that was chosen last, or choose the first that can be simulated."""
        chosen = [each for each in invoice["payment_options"] if each["quote"] and each["destination"] and each["chain"] in self.hands]
        if chosen:
            paid = {each["asset"] for each in invoice["payments"] if each["status"] != "reverted"}
            return max(chosen, key=lambda each: (each["asset"] in paid, each["quote"]["valid_until"]))
        possible = [each for each in invoice["payment_options"] if each["available"] and each["chain"] in self.hands]
        if not possible:
            raise InvalidInput("this order cannot be paid on a chain of the sandbox")
        after = await self._buyer("POST", invoice["id"], token, "/payment-options", {"asset": possible[0]["asset"]})
        return next(each for each in after["payment_options"] if each["asset"] == possible[0]["asset"])

    def _hand(self, chain: str) -> Hand:
        hand = self.hands.get(chain)
        if hand is None:
            raise InvalidInput(f"{chain} is no chain of the sandbox")
        return hand

    async def _buyer(self, method: str, invoice_id: str, token: str, path: str = "", body: Any = None) -> dict[str, Any]:
        url = f"{self._base_url}/api/v1/checkout/{quote(invoice_id, safe='')}{path}"
        headers = {"x-pepay-token": token, "content-type": "application/json"}
        answer = await (self._http.get(url, headers=headers) if method == "GET" else self._http.post(url, encode(body), headers=headers))
        read = answer.json()
        if answer.status >= 400:
            raise InvalidInput(str(read.get("error", {}).get("message") or "PePay declined"))
        return read


def _depth(invoice: dict[str, Any]) -> int:
    """Return how many blocks hold what was paid, so that a fork takes it back; one where nothing was."""
    active = [each for each in invoice["payments"] if each["status"] != "reverted"]
    deepest = max((each["confirmations"] for each in active if each["confirmations"] <= MOST_BLOCKS), default=0)
    return max(deepest, 1)


def can_simulate(invoice: Mapping[str, Any], hands: Mapping[str, object]) -> bool:
    """Tell whether an invoice is a test one that can be paid on a chain of the sandbox."""
    return not invoice["livemode"] and any(chain_of(each["asset"]) in hands for each in invoice["payment_options"])
