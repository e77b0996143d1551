"""What a buyer is told of a transaction that he says he has sent: what we see, in words, and what to do next.

Nothing is told of what other orders were paid with: whoever holds one order's token learns of that one only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.assets import AssetId, chain_of
from pepay_core.services.explaining import Answer
from pepay_core.services.presenting import seconds, units_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.explaining import Explained, Explanation, Part

SENTENCES: Final[Mapping[str, str]] = {
    "not_found": "No network that this shop takes payments on knows this transaction. If you have just sent it, look again in a minute;"
    " else see in your wallet on which network it was sent.",
    "unreachable": "The network cannot be asked at the moment. Your payment is safe: this page shows it as soon as it can be seen.",
    "waiting": "It waits to be taken into a block. Nothing more is needed from you.",
    "looking": "It is on {network}, and will be counted in a moment.",
    "counting": "Found: {amount} {symbol} on {network}. It has {confirmations} of {required} confirmations.",
    "finalizing": "Found: {amount} {symbol} on {network}. The network is making it final.",
    "counted": "Found: {amount} {symbol} on {network} are counted for this order.",
    "late": "Found: {amount} {symbol} on {network}. It came after the time to pay was over, so the shop decides. Nothing is lost.",
    "closed": "Found: {amount} {symbol} on {network}. It came for an order that was canceled, so the shop decides. Nothing is lost.",
    "wrong_asset": "We see {amount} {symbol} on {network}; this order asked for {asked}. Nothing is lost: the shop decides, or you can ask it back.",
    "unknown_token": "It sent a token that this shop does not know, so it cannot be counted. Please ask the shop.",
    "failed": "The transaction failed on {network}: no money has moved. Send it again.",
    "reverted": "It was there, and the network has taken its block back. If it comes again, it is counted by itself.",
    "elsewhere": "It is on {network}, but paid nothing to this order. Check the address that you have sent to.",
}
"""By answer, the sentence that the buyer is told."""

_UNMATCHED: Final = {
    "wrong_asset": "wrong_asset",
    "wrong_environment": "wrong_asset",
    "late": "late",
    "closed": "closed",
    "reverted": "reverted",
    "failed": "failed",
    "unregistered_token": "unknown_token",
    "not_fungible": "unknown_token",
    "malformed": "unknown_token",
    "nothing_arrived": "unknown_token",
}
_HERE: Final = {Answer.PENDING: "waiting", Answer.NOT_COVERED_YET: "looking", Answer.MISSED: "looking", Answer.BEFORE_FIRST_BLOCK: "elsewhere"}


def sighting(explained: Explained | None, transaction: str, invoice: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Return what there is to say; ``invoice`` as its buyer sees it, after a look at its chains."""
    best = explained.best if explained else None
    parts = [each for each in best.parts if each.invoice in {None, invoice["id"]}] if best else []
    answer = _answer(explained, best, parts, {each["chain"] for each in invoice["payment_options"] if each["quote"]})
    payment = next((each for each in invoice["payments"] if best and each["transaction"] == best.transaction), None)
    if payment is not None and answer == "counted":
        answer = _progress(payment, invoice)
    facts = _facts(best, parts, payment, invoice, catalogue)
    if "symbol" in SENTENCES[answer] and not facts["symbol"]:
        answer = "unknown_token"
    return {
        "object": "sighting",
        "invoice": invoice["id"],
        "transaction": best.transaction if best else transaction.strip(),
        "answer": answer,
        "message": SENTENCES[answer].format(**facts),
        **facts,
        "block_time": seconds(best.block.time) if best and best.block else None,
    }


def _answer(explained: Explained | None, best: Explanation | None, parts: Sequence[Part], chains: Collection[str]) -> str:
    if explained is None or best is None:
        return "unreachable"
    if best.answer is Answer.NOT_ON_CHAIN:
        # Where a network on which it was to be sent did not answer, it may be there.
        silent = {chain for chain, said in explained.asked.items() if isinstance(said, str)}
        return "unreachable" if silent & set(chains) else "not_found"
    if best.answer in _HERE:
        return _HERE[best.answer]
    if not parts:
        return "elsewhere"
    first = min(parts, key=lambda each: (each.answer is not Answer.CREDITED, each.answer is not Answer.MISSED, each.invoice is None))
    if first.answer is Answer.CREDITED:
        return "counted"
    return "looking" if first.answer is Answer.MISSED else _UNMATCHED.get(first.reason or "", "elsewhere")


def _progress(payment: Mapping[str, Any], invoice: Mapping[str, Any]) -> str:
    if payment["status"] == "confirming":
        return "counting" if payment["confirmations_required"] else "finalizing"
    return "late" if invoice["resolution"] == "pending" and invoice["timing"] == "late" else "counted"


def _facts(
    best: Explanation | None, parts: Sequence[Part], payment: Mapping[str, Any] | None, invoice: Mapping[str, Any], catalogue: Catalogue
) -> dict[str, Any]:
    """Return what the sentences speak of."""
    part = next((each for each in parts if each.units is not None), None)
    token = catalogue.tokens.get(AssetId(part.asset)) if part else None
    asset = payment["asset"] if payment else token.id if token else None
    chain = catalogue.chains.get(chain_of(asset)) if asset else catalogue.chains.get(best.chain) if best else None
    quoted = [each for each in invoice["payment_options"] if each["quote"] and each["destination"]]
    written = units_text(part.units, token.decimals, stable=token.stable is not None) if part and token and part.units is not None else None
    return {
        "asset": asset,
        "symbol": payment["symbol"] if payment else token.symbol if token else None,
        "network": chain.name if chain else None,
        "amount": payment["amount"] if payment else written,
        "confirmations": min(payment["confirmations"], payment["confirmations_required"] or payment["confirmations"]) if payment else None,
        "required": payment["confirmations_required"] if payment else None,
        "asked": ", ".join(f"{each['symbol']} on {each['network']}" for each in quoted) or None,
    }
