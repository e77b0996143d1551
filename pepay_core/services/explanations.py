"""Explanations, rescans and audits as the outside sees them; explanations with a sentence that says what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.assets import AssetId
from pepay_core.services.explaining import Answer, Explanation
from pepay_core.services.presenting import seconds, units_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.domain.chains import Transfer
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.auditing import Audit
    from pepay_core.services.explaining import Explained, Part
    from pepay_core.services.rescanning import Rescan

_SENTENCES: Final[Mapping[Answer, str]] = {
    Answer.CREDITED: "It was credited.",
    Answer.MISSED: "It pays an address of yours in a block that was looked at, and is not in the database. Scan the block again.",
    Answer.NOT_COVERED_YET: "Its block has not been looked at yet; the watcher will come to it.",
    Answer.BEFORE_FIRST_BLOCK: "Its block is older than the first that was looked at. If it pays an address of yours, scan the block again.",
    Answer.PENDING: "It waits to be mined.",
    Answer.NOT_ADDRESSED_TO_US: "Its block was looked at, and nothing in it went to an address of yours.",
    Answer.NOT_ON_CHAIN: "No chain that was asked knows it: it was never sent, was replaced or dropped, or is of another network.",
}

_REASONS: Final[Mapping[str | None, str]] = {
    "wrong_asset": "It was paid in an asset in which the invoice was not quoted. Accept or refund it at the invoice.",
    "wrong_environment": "It is test money for a live invoice, or the other way round.",
    "late": "It came after the deadline, and late money is held. Accept or refund it at the invoice.",
    "closed": "It came after the invoice was canceled. Accept or refund it at the invoice.",
    "reverted": "It was credited, and its block has left the chain since.",
    "before_issued": "It was sent before the address was given out for an invoice.",
    "failed": "The transaction failed, so nothing moved.",
    "zero_value": "It sent nothing.",
    "unregistered_token": "It sent a token that is not configured here, whatever it calls itself.",
    "not_fungible": "It sent a token of which there is one, and no money.",
    "nothing_arrived": "The token's contract says that it came, and the balance of the address did not grow.",
    "malformed": "The token's contract reported it in another form than its standard has.",
}


def explanation_object(explained: Explained, catalogue: Catalogue) -> dict[str, Any]:
    """Return an explanation object."""
    best = explained.best
    again = best.block is not None and best.answer in {Answer.MISSED, Answer.BEFORE_FIRST_BLOCK}
    return {
        "object": "explanation",
        "transaction": best.transaction,
        "answer": str(best.answer),
        "reason": best.reason,
        "message": _REASONS[best.reason] if best.answer is Answer.UNMATCHED else _SENTENCES[best.answer],
        "chain": None if best.answer is Answer.NOT_ON_CHAIN else best.chain,
        "block": best.block.height if best.block else None,
        "block_time": seconds(best.block.time) if best.block else None,
        "transfers": [_part(each, catalogue) for each in best.parts],
        "rescan": {"from_block": best.block.height, "to_block": best.block.height} if again and best.block else None,
        "asked": [
            {
                "chain": chain,
                "answer": str(each.answer) if isinstance(each, Explanation) else None,
                "problem": None if isinstance(each, Explanation) else each,
            }
            for chain, each in explained.asked.items()
        ],
    }


def _part(part: Part, catalogue: Catalogue) -> dict[str, Any]:
    token = catalogue.tokens.get(AssetId(part.asset))
    return {
        "answer": str(part.answer),
        "reason": part.reason,
        "asset": part.asset,
        "symbol": token.symbol if token else None,
        "amount": units_text(part.units, token.decimals, stable=token.stable is not None) if token and part.units is not None else None,
        "amount_base_units": None if part.units is None else str(part.units),
        "to": part.to,
        "index": int(part.index) if part.index.isdecimal() else part.index,
        "invoice": part.invoice,
        "payment": part.payment,
    }


def rescan_object(chain: str, last: int, rescan: Rescan) -> dict[str, Any]:
    """Return a rescan object."""
    return {
        "object": "rescan",
        "chain": chain,
        "from_block": rescan.first,
        "to_block": last,
        "reached": rescan.reached,
        "seen": rescan.seen,
        "credited": [{"payment": each.id, "invoice": each.invoice, **_transfer(each.transfer)} for each in rescan.credited],
    }


def audit_object(chain: str, audit: Audit) -> dict[str, Any]:
    """Return an audit object."""
    return {
        "object": "audit",
        "chain": chain,
        "from_block": audit.first,
        "to_block": audit.last,
        "clean": audit.clean,
        "matching": audit.matching,
        "missing": [{**_transfer(each), "to": each.to.address} for each in audit.missing],
        "extra": [{"payment": each.id, "invoice": each.invoice, **_transfer(each.transfer)} for each in audit.extra],
        "different": [
            {
                "payment": payment.id,
                "invoice": payment.invoice,
                "on_chain": {**_transfer(transfer), "block_hash": transfer.block.hash, "to": transfer.to.address},
                "in_database": {**_transfer(payment.transfer), "block_hash": payment.transfer.block.hash, "to": payment.transfer.to.address},
            }
            for transfer, payment in audit.different
        ],
    }


def _transfer(transfer: Transfer) -> dict[str, Any]:
    return {"asset": transfer.asset, "amount_base_units": str(transfer.units), "transaction": transfer.tx, "block": transfer.block.height}
