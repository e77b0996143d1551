"""Sending transactions one after another, each mined before the next is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import ChainUnavailable, PePayError
from pepay_evm import decoding
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from pepay_core.api import Clock
    from pepay_evm.decoding import Receipt
    from pepay_evm.pool import Rpc
    from pepay_evm.rpc import Endpoint
    from pepay_evm.signing import Payer

_PATIENCE_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 0.5
_MARGIN: Final = 1.25


class NotSent(PePayError):
    """A transaction was not sent, or is not known to have been mined."""

    code = "not_sent"


@dataclass(frozen=True, slots=True)
class Errand:
    """A call of a contract that somebody pays the gas of; nothing is sent with it."""

    to: str
    data: str
    gas: int

    def unsigned(self, chain: int) -> dict[str, str]:
        """Return it as ``eth_sendTransaction`` takes it, for a wallet that fills in fees and signs."""
        return {"chainId": hex(chain), "to": self.to, "value": "0x0", "data": self.data, "gas": hex(self.gas)}


@dataclass(frozen=True, slots=True)
class Fees:
    """What a unit of gas costs: at most ``most``, and of that ``tip`` for the block's maker; ``expected`` is what it will probably be."""

    most: int
    tip: int | None
    expected: int

    @property
    def fields(self) -> dict[str, int]:
        """The fields of a transaction."""
        return {"gasPrice": self.most} if self.tip is None else {"maxFeePerGas": self.most, "maxPriorityFeePerGas": self.tip}


async def read_fees(endpoint: Endpoint) -> Fees:
    """Return what gas costs now: twice the base fee is enough for six full blocks in a row."""
    calls = [Call("eth_getBlockByNumber", ("latest", False)), Call("eth_gasPrice"), Call("eth_maxPriorityFeePerGas", lenient=True)]
    latest, price, tip = await endpoint.ask(calls)
    base = latest.get("baseFeePerGas") if isinstance(latest, dict) else None
    if base is None:
        legacy = decoding.quantity(price)
        return Fees(legacy, None, legacy)
    floor, offered = decoding.quantity(base), 0 if isinstance(tip, NodeError) else decoding.quantity(tip)
    return Fees(2 * floor + offered, offered, floor + offered)


async def estimate(endpoint: Endpoint, payer: str, to: str, data: str) -> int:
    """Return the gas that a call is sent with: a quarter more than a node finds it to need. Raises NodeError where it would fail."""
    (answer,) = await endpoint.ask([Call("eth_estimateGas", ({"from": payer, "to": to, "data": data},))])
    return int(decoding.quantity(answer) * _MARGIN)


async def send(rpc: Rpc, clock: Clock, payer: Payer, chain: int, errand: Errand) -> Receipt:
    """Sign a call, send it, wait until it is mined, and return its receipt; raises NotSent.

    The same bytes are offered to the node again for as long as they are not mined, so that an answer that was lost changes nothing.
    """

    async def prepare(endpoint: Endpoint) -> tuple[int, Fees]:
        mined, waiting = await endpoint.ask([Call("eth_getTransactionCount", (payer.address, tag)) for tag in ("latest", "pending")])
        if mined != waiting:
            raise NotSent(f"a transaction of {payer.address} is still waiting to be mined: try again when it is")
        return decoding.quantity(mined), await read_fees(endpoint)

    nonce, fees = await rpc.step(prepare)
    fields: dict[str, int | str] = {
        "chainId": chain,
        "nonce": nonce,
        "to": errand.to,
        "value": 0,
        "data": errand.data,
        "gas": errand.gas,
        **fees.fields,
    }
    raw, identity = payer.sign(fields)
    deadline = clock.monotonic() + _PATIENCE_SECONDS
    refusal = ""
    while clock.monotonic() < deadline:
        try:
            refusal, receipt = await rpc.step(lambda endpoint: _offer(endpoint, raw, identity))
        except ChainUnavailable as exc:
            refusal, receipt = exc.message, None
        if receipt is not None:
            return decoding.receipt(receipt)
        await clock.sleep(_POLL_SECONDS)
    raise NotSent(f"{identity} was not mined within {_PATIENCE_SECONDS:.0f} s{f': {refusal}' if refusal else ''}; look it up before trying again")


async def _offer(endpoint: Endpoint, raw: str, identity: str) -> tuple[str, Any]:
    """Return what the node has against the transaction, if anything, and its receipt once there is one."""
    sent, receipt = await endpoint.ask([Call("eth_sendRawTransaction", (raw,), lenient=True), Call("eth_getTransactionReceipt", (identity,))])
    # A node that has it already says so, each in words of its own; only the receipt tells.
    return (sent.message if isinstance(sent, NodeError) else ""), receipt
