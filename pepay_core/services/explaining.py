"""Saying of one transaction what PePay made of it, and why: the answer to "I have paid, and nothing happens"."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pepay_core.domain.assets import family_of
from pepay_core.domain.chains import Feature
from pepay_core.domain.errors import ChainUnavailable, InvalidInput, Unavailable
from pepay_core.domain.invoices import Resolution, Status
from pepay_core.domain.watchlist import Watchlist
from pepay_core.services.addressees import Addressees
from pepay_core.services.replaying import Replay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.assets import ChainId
    from pepay_core.domain.chains import Block, Transfer
    from pepay_core.domain.coverage import Coverage, IssuedDestination
    from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId
    from pepay_core.domain.inspecting import Ignored, Inspection
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.payments import Payment
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.openings import Openings
    from pepay_core.services.ports import Store

_CALL: Final = 15.0


class Answer(StrEnum):
    """What there is to say of a transaction; exactly one of these."""

    CREDITED = "credited"
    MISSED = "missed"
    UNMATCHED = "unmatched"
    NOT_COVERED_YET = "not_covered_yet"
    BEFORE_FIRST_BLOCK = "before_first_block"
    PENDING = "pending"
    NOT_ADDRESSED_TO_US = "not_addressed_to_us"
    NOT_ON_CHAIN = "not_on_chain"


_WEIGHT: Final = {answer: place for place, answer in enumerate(Answer)}


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that the transaction brought, or seemed to bring; ``reason`` says why it is unmatched."""

    answer: Answer
    reason: str | None
    asset: str
    units: int | None
    to: str
    index: str
    invoice: InvoiceId | None = None
    payment: PaymentId | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one chain has to say. ``first`` and ``last`` are the blocks that were looked at so far."""

    chain: ChainId
    transaction: str
    answer: Answer
    reason: str | None = None
    block: Block | None = None
    parts: tuple[Part, ...] = ()
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """The best answer, and what came of asking each chain: its answer, or why it gave none."""

    best: Explanation
    asked: Mapping[ChainId, Explanation | str]


class Explaining:
    """Asks the chains, and compares with what is stored. Works whether or not this process watches them."""

    def __init__(self, store: Store, catalogue: Catalogue, openings: Openings) -> None:
        self._store = store
        self._catalogue = catalogue
        self._openings = openings

    async def explain(
        self, transaction: str, *, chain_id: str | None = None, merchant: MerchantId | None = None, livemode: bool | None = None
    ) -> Explained:
        """Explain a transaction, on one chain or on whichever knows it.

        ``merchant`` sees its own invoices alone, and ``livemode`` the chains of one environment. Raises InvalidInput when no chain has
        such transactions, UnknownAsset for a chain that is not there, and ChainUnavailable when no chain could be asked.
        """
        chains = list(self._catalogue.chains.values()) if chain_id is None else [self._catalogue.chain(chain_id)]
        chains = [each for each in chains if livemode is None or each.testnet is not livemode]
        if not chains:
            raise InvalidInput("there is no such chain in this environment", field="chain")
        answers = await asyncio.gather(*(self._ask(each, transaction, merchant) for each in chains))
        asked = {each.id: answer for each, answer in zip(chains, answers, strict=True)}
        found = [answer for answer in answers if isinstance(answer, Explanation)]
        if found:
            best = min(found, key=lambda each: _WEIGHT[each.answer])
            return Explained(best, {key: each.message if isinstance(each, Exception) else each for key, each in asked.items()})
        wrong = next((answer for answer in answers if isinstance(answer, InvalidInput)), None)
        if wrong is not None:
            raise wrong
        raise ChainUnavailable("; ".join(dict.fromkeys(str(answer) for answer in answers)))

    async def _ask(self, chain: Chain, transaction: str, merchant: MerchantId | None) -> Explanation | InvalidInput | Unavailable:
        if Feature.INSPECT not in chain.features:
            return ChainUnavailable(f"{chain.name} cannot be asked about a transaction")
        try:
            async with asyncio.timeout(_CALL), self._openings.reached(chain):
                return await self._explain(chain, transaction, merchant)
        except (InvalidInput, Unavailable) as exc:
            return exc
        except TimeoutError:
            return ChainUnavailable(f"{chain.name} did not answer in time")

    async def _explain(self, chain: Chain, transaction: str, merchant: MerchantId | None) -> Explanation:
        seen = await chain.inspect(transaction, Watchlist())
        identity = seen.tx if seen else transaction.strip()
        issued: list[IssuedDestination] = []
        if seen is not None:
            async with self._store.read() as tx:
                named = await tx.destinations.at(family_of(chain.id), live=not chain.testnet, places=seen.named)
            issued = [each for each in named if merchant in {None, each.merchant}]
        if seen is not None and seen.block is not None and issued:
            seen = await chain.inspect(transaction, Addressees(chain, issued).list) or seen
        async with self._store.read() as tx:
            covered = await tx.chains.coverage(chain.id)
            stored = await tx.payments.made_by(chain.id, identity)
            if seen is not None and seen.block is not None:
                ours = {each.destination for each in issued}
                beside = await tx.payments.within(chain.id, seen.block.height, seen.block.height)
                stored += [each for each in beside if each.transfer.by_balance and each.transfer.to in ours]
            stored = [each for each in stored if merchant in {None, each.merchant}]
            invoices = {each.invoice: await tx.invoices.find(each.invoice) for each in stored}
        replay = Replay(self._store, chain, issued)
        return _judged(chain.id, identity, seen, covered, replay, stored, {key: each for key, each in invoices.items() if each})


def _judged(
    chain: ChainId,
    identity: str,
    seen: Inspection | None,
    covered: Sequence[Coverage],
    replay: Replay,
    stored: Sequence[Payment],
    invoices: Mapping[InvoiceId, Invoice],
) -> Explanation:
    """Return the one answer that fits."""
    known = [_of_payment(each, invoices) for each in stored]
    first, last = (covered[0].first, covered[-1].last) if covered and covered[-1].last >= covered[0].first else (None, None)

    def answered(answer: Answer, parts: Sequence[Part] = (), reason: str | None = None) -> Explanation:
        ordered = tuple(sorted(parts, key=lambda each: (not each.index.isdecimal(), each.index.zfill(8), each.asset)))
        return Explanation(chain, identity, answer, reason, seen.block if seen else None, ordered, first, last)

    if seen is None:
        # What was credited and is not on the chain any more was taken back, or will be.
        return answered(Answer.UNMATCHED, known, "reverted") if known else answered(Answer.NOT_ON_CHAIN)
    if seen.block is None:
        return answered(Answer.PENDING, known)
    if any(each.answer is Answer.CREDITED for each in known) and not _unknown(seen, stored):
        return answered(Answer.CREDITED, known)
    height = seen.block.height
    if not any(each.first <= height <= each.last for each in covered):
        begun = covered[0].first if covered else None
        return answered(Answer.BEFORE_FIRST_BLOCK if begun is not None and height < begun else Answer.NOT_COVERED_YET)
    parts = [each for each in known if each.reason != "reverted"]
    parts += [_missing(each, replay) for each in _unknown(seen, stored)]
    parts += [_of_ignored(each) for each in seen.ignored]
    if not parts:
        return answered(Answer.NOT_ADDRESSED_TO_US)
    best = min(parts, key=lambda each: (each.answer is not Answer.MISSED, _WEIGHT[each.answer]))
    return answered(best.answer, parts, best.reason)


def _unknown(seen: Inspection, stored: Sequence[Payment]) -> list[Transfer]:
    """Return the transfers that are not credited, in whichever form."""
    active = [each.transfer for each in stored if each.active]
    keys = {each.key for each in active}
    places = {(each.to, each.asset) for each in active if each.by_balance}
    return [each for each in seen.transfers if each.key not in keys and (each.to, each.asset) not in places]


def _of_payment(payment: Payment, invoices: Mapping[InvoiceId, Invoice]) -> Part:
    transfer, invoice = payment.transfer, invoices.get(payment.invoice)
    reason: str | None = None
    if not payment.active:
        reason = "reverted"
    elif payment.mismatch is not None:
        reason = str(payment.mismatch)
    elif invoice is not None and invoice.assessment.resolution is Resolution.PENDING:
        # Held money of an invoice that ended: the merchant has to say what becomes of it.
        reason = {Status.EXPIRED: "late", Status.CANCELED: "closed"}.get(invoice.assessment.status)
    answer = Answer.CREDITED if reason is None else Answer.UNMATCHED
    return Part(answer, reason, transfer.asset, transfer.units, transfer.to.address, transfer.index, payment.invoice, payment.id)


def _missing(transfer: Transfer, replay: Replay) -> Part:
    issued = replay.was_issued(transfer)
    answer, reason = (Answer.MISSED, None) if issued else (Answer.UNMATCHED, "before_issued")
    invoice = replay.addressees.invoice_of(transfer.to)
    return Part(answer, reason, transfer.asset, transfer.units, transfer.to.address, transfer.index, invoice)


def _of_ignored(ignored: Ignored) -> Part:
    return Part(Answer.UNMATCHED, str(ignored.reason), ignored.asset, ignored.units, ignored.to, ignored.index)
