"""What people do in a simulated world: shops ask for money, buyers pay as buyers do, and the weather is bad until it clears."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import PePayError
from pepay_core.domain.merchants import SCOPES
from pepay_core.services.callers import Caller
from pepay_core.services.founding import found
from pepay_core.services.requesting import InvoiceRequest
from simulation.chain import Event, Tx, transfer
from simulation.oracle import Oracle
from simulation.world import DAI, DEEPEST, FAKE, USDC, Lost, World

if TYPE_CHECKING:
    from pepay_core.runtime import Runtime
    from simulation.loop import Process
    from simulation.world import Server

_INVOICES: Final = 14
_STORM: Final = 150.0
"""Virtual seconds during which things go wrong."""


class Unfounded(RuntimeError):
    """No server starts in fine weather: what was planted fits the product no more, and whatever else is wrong says nothing."""


class Scenario:
    """One run, from an empty database to the last webhook."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.oracle = Oracle(world)
        self.chance = world.chance("people")
        self.caller: Caller | None = None
        self._serial = 0
        self._people: list[asyncio.Task[None]] = []
        self._crashes = world.chance("crashes")
        self._fuse = 0
        self._names = ("a", "b")[: world.weather.processes or self._crashes.choice([1, 2])]

    async def run(self) -> None:
        """Play it; what is wrong is in the oracle afterwards."""
        world = self.world
        await self._found()
        mining = [self._go(self._mine(chain)) for chain in world.chains.values()]
        forking = [self._go(self._fork(chain)) for chain in world.chains.values()]
        world.committed = self.oracle.committed
        world.loop.before_step = self._burn
        self._light()
        keeping = [self._go(self._keep(name)) for name in self._names]
        outages = self._go(self._outages())
        gusts = self._go(self._gusts())
        pausing = self._go(self._pause())

        for _ in range(_INVOICES):
            await asyncio.sleep(self.chance.uniform(0, 1.6 * _STORM / _INVOICES))
            self._people.append(self._go(self._purchase()))
        await asyncio.sleep(max(0.0, _STORM - world.loop.time()))

        world.faults.on = False
        world.note("the weather clears")
        for each in (*forking, outages, pausing, gusts):
            each.cancel()
        await asyncio.gather(*self._people)
        await self._until_settled()
        for each in (*keeping, *mining):
            each.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        for server in list(world.servers):
            self.oracle.expect_whole(server.process.name, await world.stop(server))
        await self._deliver()
        await self.oracle.finish()

    def _go(self, work: Any) -> asyncio.Task[None]:
        """Run something beside everything else; if it breaks, the run is worth nothing."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                self.oracle.wrong("the run", repr(task.exception()))

        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(ended)
        return task

    # --- the shop ------------------------------------------------------------------------

    async def _found(self) -> None:
        """Make a merchant with its wallet and its endpoints, while the weather is fine."""
        world = self.world
        world.faults.on = False
        server = await world.serve("first", workers=False)
        if server is None:
            raise Unfounded

        async def work(runtime: Runtime) -> None:
            made = await found(runtime.store, runtime.keys, runtime.ids, runtime.clock, "Shop")
            caller = Caller(made.merchant.id, True, "test", frozenset(SCOPES))
            addresses = ["0x" + hashlib.sha256(f"{world.seed}/{place}".encode()).hexdigest()[:40] for place in range(3 * _INVOICES)]
            await runtime.receiving.create(caller, "eip155", "addresses", addresses)
            for receiver in world.receivers:
                await runtime.endpoints.create(caller, receiver.url, ["*", "invoice.partial_payment"])
            self.caller = caller

        await world.call(server, work)
        await world.stop(server)
        world.faults.on = True

    async def _ask(self, what: str, work: Any) -> Any:
        """Ask any running process until one answers; None when it is refused."""
        for _ in range(200):
            servers = self.world.servers
            if servers:
                try:
                    return await self.world.call(self.chance.choice(servers), work)
                except Lost:
                    self.world.note(f"{what}: no answer")
                except PePayError as exc:
                    self.world.note(f"{what}: {type(exc).__name__}")
                    if exc.status < 500:
                        return None
            await asyncio.sleep(self.chance.uniform(0.5, 4))
        return None

    async def _purchase(self) -> None:
        chance, caller = self.chance, self.caller
        assert caller is not None
        chain = chance.choice(list(self.world.chains))
        contract = chance.choice(["", "", *self.world.chains[chain].tokens])
        asset = f"{chain}/erc20:{contract}" if contract else f"{chain}/slip44:60"
        request = InvoiceRequest(
            amount_usd=str(chance.choice([5, 20, 39, 41, 150, 199, 900])), pay_with=asset, expires_in=chance.choice([60, 60, 75, 90])
        )
        invoice = await self._ask("create", lambda runtime: runtime.invoicing.create(caller, request))
        if invoice is None:
            return
        option = next(each for each in invoice["payment_options"] if each["asset"] == asset and each["quote"])
        await self._pay(chain, contract, option["destination"].lower(), int(option["quote"]["amount_base_units"]))
        await self._meddle(invoice["id"])

    async def _meddle(self, invoice: str) -> None:
        """Do what merchants and buyers do to an invoice besides paying it."""
        chance, caller = self.chance, self.caller
        assert caller is not None
        acts: list[Any] = [
            lambda runtime: runtime.invoicing.cancel(caller, invoice),
            lambda runtime: runtime.invoicing.resolve(caller, invoice, chance.choice(["accept", "write_off", "refund"])),
            lambda runtime: runtime.invoicing.verify(caller, invoice),
            lambda runtime: runtime.invoicing.choose(caller, invoice, f"{chance.choice(list(self.world.chains))}/slip44:60"),
        ]
        for _ in range(chance.choice([0, 0, 1, 2])):
            await asyncio.sleep(chance.uniform(0, 40))
            await self._ask("meddle", chance.choice(acts))

    # --- the buyer -----------------------------------------------------------------------

    async def _pay(self, chain: str, contract: str, to: str, units: int) -> None:
        chance = self.chance
        await asyncio.sleep(chance.choice([0, 0, 5, 20, 60, 90]) * chance.random())
        way = chance.choice(["whole", "whole", "whole", "parts", "parts", "over", "nothing", "other", "twice", "forged", "failed", "late"])
        if way == "whole":
            self._send(chain, contract, to, units)
        elif way == "parts":
            first = chance.randint(1, units)
            self._send(chain, contract, to, first)
            await asyncio.sleep(chance.uniform(0, 40))
            self._send(chain, contract, to, max(units - first, 1))
        elif way == "over":
            self._send(chain, contract, to, units * 3)
        elif way == "other":
            # Another asset, or another chain: the address is the same everywhere.
            other = chance.choice(list(self.world.chains))
            self._send(other, chance.choice(["", *self.world.chains[other].tokens]), to, chance.randint(1, 10**18))
        elif way == "twice":
            self._submit(chain, "0x" + "00" * 19 + "99", 0, tuple(transfer(USDC, self._payer(), to, units // 2 + 1) for _ in range(2)))
            if not contract:
                self._send(chain, "", to, units)
        elif way == "forged":
            self._submit(chain, FAKE, 0, (transfer(FAKE, self._payer(), to, units),))
            word = "0x" + "00" * 31 + "07"
            self._submit(chain, USDC, 0, (transfer(USDC, self._payer(), to, units, word), transfer(USDC, self._payer(), to, 0)))
            if chance.random() < 0.5:
                self._send(chain, contract, to, units)
        elif way == "failed":
            self._send(chain, contract, to, units, succeeds=False)
            if chance.random() < 0.5:
                self._send(chain, contract, to, units)
        elif way == "late":
            await asyncio.sleep(chance.uniform(50, 90))
            self._send(chain, contract, to, units)

    def _send(self, chain: str, contract: str, to: str, units: int, *, succeeds: bool = True) -> None:
        if contract:
            self._submit(chain, contract, 0, (transfer(contract, self._payer(), to, units),), succeeds=succeeds)
        else:
            self._submit(chain, to, units, (), succeeds=succeeds)

    def _submit(self, chain: str, to: str, value: int, events: tuple[Event, ...], *, succeeds: bool = True) -> None:
        self._serial += 1
        identity = "0x" + hashlib.sha256(f"tx {self.world.seed} {self._serial}".encode()).hexdigest()
        self.world.note(f"sends {identity[:10]} on {chain}")
        self.world.chains[chain].pool.append(Tx(identity, self._payer(), to, value, events, succeeds))

    def _payer(self) -> str:
        return "0x" + f"{self.chance.randrange(1, 16**6):040x}"

    # --- the chains ----------------------------------------------------------------------

    async def _mine(self, chain: Any) -> None:
        chance = self.world.chance(f"mining {chain.number}")
        while True:
            await asyncio.sleep(chain.spacing * chance.uniform(0.5, 1.5))
            if chance.random() < 0.3:
                # Others use the chain as well.
                nobody = "0x" + f"{chance.randrange(1, 2**60):040x}"
                self._serial += 1
                identity = "0x" + hashlib.sha256(f"noise {self.world.seed} {self._serial}".encode()).hexdigest()
                chain.pool.append(Tx(identity, nobody, chance.choice([USDC, DAI, nobody]), 0, (transfer(USDC, nobody, nobody, 1),)))
            block = chain.mine(self.world.loop.time())
            self.world.note(f"{chain.number} mines {block.height} with {len(block.txs)}")

    async def _fork(self, chain: Any) -> None:
        chance = self.world.chance(f"forks {chain.number}")
        rate = chance.choice([0, 3, 6, 12])
        while rate:
            await asyncio.sleep(chance.expovariate(1 / rate))
            depth = chain.reorganise(chance.choice([1, 1, 1, 2, 2, 3, DEEPEST]), self.world.loop.time(), lost=chance.choice([0, 0, 0.3]))
            if depth:
                self.world.faults.happened("reorganisation")
                self.world.note(f"{chain.number} replaces {depth}")

    # --- the weather ---------------------------------------------------------------------

    def _light(self) -> None:
        every = self._crashes.choice([600, 1_500, 5_000])
        self._fuse = int(self._crashes.expovariate(1 / every)) + 1

    def _burn(self, process: Process) -> None:
        """Kill a process between two of its steps, now and then."""
        if not self.world.faults.on:
            return
        self._fuse -= 1
        if self._fuse <= 0:
            self._light()
            self.world.faults.happened("crash")
            process.kill()

    async def _keep(self, name: str) -> None:
        """Start a process again whenever it has died."""
        chance = self.world.chance(f"keeping {name}")
        await asyncio.sleep(chance.uniform(0, 10))
        while True:
            server: Server | None = await self.world.serve(name, skew=chance.choice([0, 0, 0, chance.uniform(-3, 3)]) if self.world.faults.on else 0)
            if server is not None:
                await server.process.gone()
            await asyncio.sleep(chance.choice([0.2, 1, 5, 20]) * chance.random())

    async def _gusts(self) -> None:
        chance, faults = self.world.chance("gusts"), self.world.faults
        while faults.gusty:
            faults.level = 0.1
            await asyncio.sleep(chance.uniform(10, 40))
            faults.level = 1.0
            await asyncio.sleep(chance.uniform(5, 30))

    async def _outages(self) -> None:
        chance = self.world.chance("outages")
        while True:
            await asyncio.sleep(chance.expovariate(1 / 30))
            endpoint = chance.choice(self.world.endpoints)
            endpoint.down_until = self.world.loop.time() + chance.uniform(5, 30)

    async def _pause(self) -> None:
        """Let a process stand still for longer than its lease, as a machine that swaps or sleeps does."""
        chance = self.world.chance("pauses")
        while True:
            await asyncio.sleep(chance.expovariate(1 / 60))
            if self.world.servers:
                server = chance.choice(self.world.servers)
                server.process.frozen_until = self.world.loop.time() + chance.uniform(5, 25)
                self.world.faults.happened("pause")

    # --- the end -------------------------------------------------------------------------

    async def _until_settled(self) -> None:
        """Wait until nothing is left to happen, or for as long as it may take."""
        latest = self.world.loop.time() + 240
        while self.world.loop.time() < latest:
            await asyncio.sleep(5)
            if all(not chain.pool for chain in self.world.chains.values()) and self.oracle.settled():
                break
        await asyncio.sleep(12)

    async def _deliver(self) -> None:
        """Let the clock jump from one due delivery to the next, until none is left."""
        world = self.world
        server = await world.serve("last", workers=False)
        assert server is not None

        async def due(runtime: Runtime) -> Any:
            async with runtime.store.read() as tx:
                return await tx.deliveries.next_due()

        for _ in range(300):
            at = await world.call(server, due)
            if at is None:
                break
            await asyncio.sleep(max(0.0, (at - world.clock.now()).total_seconds()) + 0.01)
            await world.call(server, lambda runtime: runtime.dispatcher.drain_once())
        await self.oracle.read(server.runtime)
        self.oracle.expect_whole("last", await world.stop(server))
