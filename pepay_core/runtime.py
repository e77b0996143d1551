"""Everything put together and running: the composition root that the web application and the command line share."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex
from typing import TYPE_CHECKING

from pepay_core.background import following, know_heads, working
from pepay_core.clock import SystemClock
from pepay_core.domain.errors import ChainUnavailable
from pepay_core.http import AiohttpClient
from pepay_core.plugins.lifecycle import assemble
from pepay_core.plugins.running import running
from pepay_core.secrets import open_vault
from pepay_core.services.accounting import Bookkeeper
from pepay_core.services.assembling import Assembler
from pepay_core.services.attesting import Attesting
from pepay_core.services.auditing import Auditing
from pepay_core.services.authenticating import Authenticating
from pepay_core.services.branding import Logos
from pepay_core.services.carrying import Carrier
from pepay_core.services.choosing import Choosing
from pepay_core.services.closing import Closing
from pepay_core.services.connecting import Connecting
from pepay_core.services.endpoints import Endpoints
from pepay_core.services.explaining import Explaining
from pepay_core.services.feeding import Feed
from pepay_core.services.heads import Heads
from pepay_core.services.invoicing import Invoicing
from pepay_core.services.keeping_keys import KeepingKeys
from pepay_core.services.lacking import Lacking
from pepay_core.services.mailing import Mailing
from pepay_core.services.minting import Ids
from pepay_core.services.noticing import Noticing
from pepay_core.services.notifying import Dispatcher
from pepay_core.services.offering import Offering
from pepay_core.services.openings import Openings
from pepay_core.services.people.composing import People, compose_people
from pepay_core.services.preferring import Preferring
from pepay_core.services.presenting import Presenter
from pepay_core.services.pricing import RateDesk, RateRules
from pepay_core.services.publishing import Outbox
from pepay_core.services.receiving import Receiving
from pepay_core.services.recording import Recorder
from pepay_core.services.refunding import Refunding
from pepay_core.services.relaying import Relay
from pepay_core.services.rescanning import Rescanning
from pepay_core.services.resending import Resending
from pepay_core.services.retaining import Ages, Retaining
from pepay_core.services.revisions import Networks
from pepay_core.services.revisiting import Revisiting
from pepay_core.services.self_serving import SelfServing
from pepay_core.services.settling import Settling
from pepay_core.services.supervising import Keeper
from pepay_core.services.triggering import Triggering
from pepay_core.services.unlocking import unlock
from pepay_core.services.valuing import Valuation
from pepay_core.services.viewing import Viewers
from pepay_core.services.watching import Watcher
from pepay_core.storage.opening import open_store
from pepay_core.tokens import ClientTokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import ChainId
    from pepay_core.domain.events import Event
    from pepay_core.domain.invoices import InvoiceDraft
    from pepay_core.domain.rates import AgreedRate, NoRate, Pair
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.plugins.lifecycle import Assembly
    from pepay_core.secrets import Vault
    from pepay_core.services.ports import Store
    from pepay_core.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """A running PePay: what web and command line need of it."""

    settings: Settings
    clock: Clock
    store: Store
    vault: Vault
    tokens: ClientTokens
    assembly: Assembly
    catalogue: Catalogue
    heads: Heads
    desk: RateDesk
    authenticating: Authenticating
    keys: KeepingKeys
    connecting: Connecting
    people: People
    receiving: Receiving
    lacking: Lacking
    preferring: Preferring
    logos: Logos
    offering: Offering
    invoicing: Invoicing
    endpoints: Endpoints
    resending: Resending
    feed: Feed
    viewers: Viewers
    dispatcher: Dispatcher
    mailing: Mailing
    carrier: Carrier
    closing: Closing
    keepers: Mapping[ChainId, Keeper]
    relay: Relay
    ids: Ids
    openings: Openings
    rescanning: Rescanning
    auditing: Auditing
    explaining: Explaining
    revisiting: Revisiting
    retaining: Retaining
    triggering: Triggering
    refunding: Refunding
    self_serving: SelfServing
    recorder: Recorder
    attesting: Attesting

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, settings: Settings, *, workers: bool = True, safe: bool = False, clock: Clock | None = None, environ: Mapping[str, str] | None = None
    ) -> AsyncIterator[Runtime]:
        """Open the database, load the plugins, and run watchers and dispatcher until the block is left, where ``workers`` says so.

        Raises ConfigError when the operator must change something first.
        """
        environ = os.environ if environ is None else environ
        clock = clock or SystemClock()
        vault = open_vault(settings, environ)
        async with contextlib.AsyncExitStack() as stack:
            http = await stack.enter_async_context(AiohttpClient(allow_private=settings.webhooks.allow_private))
            assembly = assemble(settings, clock=clock, http=http, safe=safe)
            store = await stack.enter_async_context(open_store(settings.database_url, clock))
            await unlock(store, vault)
            runtime = _compose(settings, clock, vault, assembly, store)
            stack.push_async_callback(runtime.openings.close_all)
            stack.push_async_callback(runtime.people.close)
            await know_heads(runtime)
            if workers:
                await stack.enter_async_context(running(assembly, clock))
                await stack.enter_async_context(working(runtime))
            else:
                await stack.enter_async_context(following(runtime))
            yield runtime

    def let_go(self) -> None:
        """End the answers that have no end, so that a server that stops waits for none of them."""
        self.store.wakes.leave()
        self.viewers.close()

    async def look(self, chain: ChainId) -> None:
        """Look at a chain now; raises ChainUnavailable where it cannot be looked at."""
        await _look(self.keepers, chain)


class _History:
    """Keeps the desk's decisions in the database."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def record(self, pair: Pair, decision: AgreedRate | NoRate) -> None:
        await self._store.run(lambda tx: tx.rates.record(pair, decision, self._clock.now()))


async def _look(keepers: Mapping[ChainId, Keeper], chain: ChainId) -> None:
    if chain not in keepers:
        raise ChainUnavailable(f"no running plugin knows {chain}: see `pepay plugin list`")
    await keepers[chain].look_now()


def rate_rules(settings: Settings) -> RateRules:
    """Return what the configuration asks of a rate."""
    rates = settings.rates
    return RateRules(rates.providers, rates.quorum, timedelta(seconds=rates.max_age), rates.max_deviation, rates.max_depeg)


def _compose(settings: Settings, clock: Clock, vault: Vault, assembly: Assembly, store: Store) -> Runtime:
    """Make the services and join them; nothing runs yet."""
    catalogue = assembly.catalogue
    ids = Ids(clock)
    heads = Heads()
    recorder = Recorder(clock, vault)
    tokens = ClientTokens(vault)
    desk = RateDesk(catalogue.rate_providers, clock=clock, settings=rate_rules(settings), history=_History(store, clock))
    valuation = Valuation(desk, catalogue, clock)
    lacking = Lacking(store, catalogue, clock)
    offering = Offering(store, catalogue, heads, valuation, lacking)
    presenter = Presenter(catalogue, heads, tokens, settings.server.base_url)
    assembler = Assembler(offering)

    async def tell(event: Event) -> None:
        await assembly.host.notify("pepay_event", event=event)

    async def review(draft: InvoiceDraft) -> InvoiceDraft:
        return await assembly.host.chain("pepay_review_invoice", "draft", draft, fixed=("merchant", "livemode", "currency", "decimals"))

    relay = Relay(tell)

    feed = Feed(store)

    outbox = Outbox(clock, ids, relay.put)
    carrier = Carrier(store, catalogue.notifiers, clock)
    mailing = Mailing(store, catalogue.notifiers, vault, ids, clock, carrier.wake)
    dispatcher = Dispatcher(store, catalogue.notifiers, vault, outbox, clock, noticing=Noticing(mailing, vault), recorder=recorder)
    settling = Settling(catalogue, assembler, presenter, Bookkeeper(ids), outbox, ids, clock)
    openings = Openings()
    keepers: dict[ChainId, Keeper] = {}

    holder = _holder(settings)
    for chain in catalogue.chains.values():
        watcher = Watcher(chain, store, settling, valuation, catalogue, clock)
        keepers[chain.id] = Keeper(watcher, store, heads, outbox, openings, clock, holder=holder)
    choosing = Choosing(catalogue, heads, valuation, lacking, ids, clock)
    invoicing = Invoicing(
        store=store,
        catalogue=catalogue,
        offering=offering,
        valuation=valuation,
        choosing=choosing,
        settling=settling,
        assembler=assembler,
        presenter=presenter,
        outbox=outbox,
        review=review,
        look=functools.partial(_look, keepers),
        ids=ids,
        clock=clock,
        recorder=recorder,
    )
    keys = KeepingKeys(store, clock, ids, vault, usual_writes=settings.limits.writes_per_minute)
    explaining = Explaining(store, catalogue, openings)
    refunding = Refunding(store, catalogue, settling, outbox, recorder, ids, clock)
    self_serving = SelfServing(
        store=store,
        catalogue=catalogue,
        offering=offering,
        choosing=choosing,
        settling=settling,
        invoicing=invoicing,
        explaining=explaining,
        refunding=refunding,
        clock=clock,
    )
    viewers = Viewers(store, clock, invoicing.for_buyer, lambda: Networks.of(catalogue, heads))
    heads.on_move(viewers.moved)
    rescanning = Rescanning(store, catalogue, settling, valuation, openings, clock)
    endpoints = Endpoints(store, catalogue.notifiers, vault, outbox, ids, clock)
    return Runtime(
        settings=settings,
        clock=clock,
        store=store,
        vault=vault,
        tokens=tokens,
        assembly=assembly,
        catalogue=catalogue,
        heads=heads,
        desk=desk,
        authenticating=Authenticating(store, clock, vault),
        keys=keys,
        connecting=Connecting(store, clock, keys),
        people=compose_people(store, clock, ids, vault, settings.server.base_url, recorder, mailing),
        receiving=Receiving(store, clock, ids, catalogue, lacking, recorder),
        lacking=lacking,
        preferring=Preferring(store, catalogue, recorder),
        logos=Logos(store, recorder),
        offering=offering,
        invoicing=invoicing,
        endpoints=endpoints,
        resending=Resending(store, ids, clock),
        feed=feed,
        viewers=viewers,
        dispatcher=dispatcher,
        mailing=mailing,
        carrier=carrier,
        closing=Closing(store, settling, valuation, catalogue, clock),
        keepers=keepers,
        relay=relay,
        ids=ids,
        openings=openings,
        rescanning=rescanning,
        auditing=Auditing(store, catalogue, openings),
        explaining=explaining,
        retaining=Retaining(store, clock, _ages(settings), holder=holder),
        triggering=Triggering(store, invoicing, endpoints, outbox, ids, clock),
        revisiting=Revisiting(store, catalogue, rescanning, openings, clock, holder=holder),
        refunding=refunding,
        self_serving=self_serving,
        recorder=recorder,
        attesting=Attesting(store, vault),
    )


def _ages(settings: Settings) -> Ages:
    kept = settings.retention

    def days(number: int) -> timedelta | None:
        return timedelta(days=number) if number else None

    return Ages(days(kept.attempts), days(kept.deliveries), days(kept.events), days(kept.rates))


def _holder(settings: Settings) -> str:
    """Return by which name this process holds leases. On SQLite there is one process, which may take up its own lease after a crash."""
    # Elsewhere a name is never used twice: containers share names and process numbers, and a lease is lost to whoever has another name.
    return "single" if settings.database_url.startswith("sqlite") else f"{socket.gethostname()}-{os.getpid()}-{token_hex(4)}"
