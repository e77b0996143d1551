"""Writing down what went on from issued destinations to their merchants, inside the watcher's transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pepay_core.domain.sweeps import Sweep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.chains import Departure, Destination
    from pepay_core.domain.coverage import IssuedDestination
    from pepay_core.domain.ledger import Posting
    from pepay_core.services.accounting import Bookkeeper
    from pepay_core.services.ports import Transaction


async def record_departures(
    tx: Transaction, chain: Chain, departures: Sequence[Departure], *, above: int | None, bookkeeper: Bookkeeper, now: datetime
) -> None:
    """Store the departures from destinations that were issued here, and post them; the same one twice changes nothing.

    With ``above``, the blocks above that height were replaced: sweeps in them that are not among the departures are taken back.
    """
    postings: list[Posting] = []
    if above is not None:
        again = {departure.key for departure in departures}
        for sweep in await tx.sweeps.above(chain.id, above):
            if sweep.departure.key not in again:
                await tx.sweeps.save(replace(sweep, active=False))
                postings.append(bookkeeper.unswept(sweep, await _currency(tx, sweep), now))
    if departures:
        known = await tx.sweeps.known([departure.key for departure in departures])
        issued = await _issued(tx, chain, departures)
        for departure in departures:
            place = issued.get(departure.source)
            seen = known.get(departure.key)
            if seen is not None:
                if seen.active and seen.departure == departure:
                    continue
                sweep = replace(seen, departure=departure, active=True)
                await tx.sweeps.save(sweep)
                if seen.active:
                    continue
            elif place is not None:
                sweep = Sweep(departure, place.invoice, place.merchant, not chain.testnet, place.wallet, now)
                if not await tx.sweeps.add(sweep):
                    continue  # somebody who looks at the same blocks was first
            else:
                continue
            postings.append(bookkeeper.swept(sweep, await _currency(tx, sweep), now))
    if postings:
        await tx.ledger.post(postings)


async def _issued(tx: Transaction, chain: Chain, departures: Sequence[Departure]) -> dict[Destination, IssuedDestination]:
    """Return what was issued at the places; where both environments share one, the chain's own environment is meant."""
    family, own = chain.id.partition(":")[0], not chain.testnet
    found = await tx.destinations.at(family, live=own, places={departure.source.address for departure in departures})
    return {each.destination: each for each in sorted(found, key=lambda each: each.livemode is own)}


async def _currency(tx: Transaction, sweep: Sweep) -> str:
    invoice = await tx.invoices.find(sweep.invoice)
    if invoice is None:
        raise LookupError(sweep.invoice)
    return invoice.terms.currency
