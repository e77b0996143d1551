"""One world for one seed: chains, nodes, shops and rates, and the virtual processes that run PePay over one database file."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pepay_core import runtime as composition
from pepay_core.background import know_heads, working
from pepay_core.plugins.catalogue import Catalogue
from pepay_core.plugins.host import Contribution, PluginHost
from pepay_core.plugins.lifecycle import Assembly
from pepay_core.secrets import Vault
from pepay_core.settings import Settings
from pepay_core.storage.opening import DatabaseStore
from pepay_evm.chain import EvmChain
from pepay_evm.settings import EvmSettings
from pepay_webhook_hmac.notifier import WebhookNotifier
from simulation.chain import CREATED, SimChain
from simulation.faults import Faults
from simulation.loop import PROCESS, Process, SimLoop
from simulation.market import MASTER_KEY, Source, Wrong
from simulation.network import Endpoint, Receiver, SimHttp
from simulation.storage import SimDatabase, Writers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pepay_core.runtime import Runtime
    from pepay_evm.networks import Network
    from simulation.faults import Weather

START: Final = datetime.fromtimestamp(CREATED, UTC)
USDC: Final = "0x" + "c0" * 20
DAI: Final = "0x" + "da" * 20
FAKE: Final = "0x" + "fa" * 20
"""A contract that nobody registered, and that logs whatever it likes."""

NETWORKS: Final = {
    "fast": {
        "chain": "eip155:1001",
        "block_seconds": 4,
        "native": {"symbol": "ETH", "rate_id": "ethereum"},
        "confirmations": [{"up_to": "40", "blocks": 2}, {"up_to": "200", "blocks": 4}, {"finality": "finalized"}],
        "tokens": [
            {"symbol": "USDC", "address": USDC, "decimals": 6, "rate_id": "usd-coin"},
            {"symbol": "DAI", "address": DAI, "decimals": 18, "rate_id": "usd-coin"},
        ],
    },
    "slow": {
        "chain": "eip155:1002",
        "block_seconds": 6,
        "native": {"symbol": "ETH", "rate_id": "ethereum"},
        "confirmations": 3,
        "tokens": [{"symbol": "USDC", "address": USDC, "decimals": 18, "rate_id": "usd-coin"}],
    },
}
DEEPEST: Final = 6
"""Blocks below this distance from the head are final, and no reorganisation reaches them."""

_NODES: Final = 3


class SimClock:
    """The clock of one process, which may be wrong by ``skew`` seconds."""

    def __init__(self, loop: SimLoop, skew: float = 0.0) -> None:
        self._loop = loop
        self.skew = skew

    def now(self) -> datetime:
        return START + timedelta(seconds=self._loop.time() + self.skew)

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Lost(Exception):
    """A process died before it answered: nobody knows whether it did what it was asked to."""


@dataclass
class Server:
    """A running PePay."""

    process: Process
    runtime: Runtime
    database: SimDatabase
    leave: asyncio.Event
    ended: asyncio.Task[None]


class World:
    """Everything there is; ``chance`` gives each part its own stream of randomness, so that one more draw in one does not move the others."""

    def __init__(self, seed: int, path: Path, loop: SimLoop, weather: Weather, *, keep: bool = False, hunting: bool = False) -> None:
        self.seed = seed
        self.path = path
        self.loop = loop
        self.hunting = hunting
        self.weather = weather
        self.lines: list[str] | None = [] if keep else None
        self._digest = hashlib.sha256()
        self.faults = Faults(self.chance("faults"), weather)
        self.writers = Writers()
        self.wrong = Wrong()
        self.clock = SimClock(loop)
        self.processes: list[Process] = []
        self.servers: list[Server] = []
        self.committed: Callable[[], None] = lambda: None
        self.chains: dict[str, SimChain] = {}
        for key, settings in NETWORKS.items():
            tokens = {str(each["address"]): int(each["decimals"]) for each in settings["tokens"]}
            number = int(settings["chain"].partition(":")[2])
            self.chains[settings["chain"]] = SimChain(
                number, tokens, spacing=settings["block_seconds"], deepest=DEEPEST, chance=self.chance(f"chain {key}")
            )
        self.endpoints: list[Endpoint] = []
        for key, settings in NETWORKS.items():
            chain = self.chains[settings["chain"]]
            others = [each for each in self.chains.values() if each is not chain]
            for place in range(_NODES):
                host = f"node{place}.{key}.example"
                self.endpoints.append(Endpoint(host, chain, others, self.faults, self.chance(f"node {host}")))
        self.receivers = [Receiver(f"shop{place}.example", self.faults, self.chance(f"shop {place}")) for place in range(2)]
        self.http = SimHttp(self.endpoints, self.receivers, self.note)

    def chance(self, part: str) -> random.Random:
        """Return the randomness of one part."""
        return random.Random(f"{self.seed}/{part}")

    def note(self, what: str) -> None:
        """Add a line to the trace."""
        process = PROCESS.get()
        line = f"{self.loop.time():.6f} {process.name if process else '-'} {what}"
        self._digest.update(line.encode() + b"\n")
        if self.lines is not None:
            self.lines.append(line)

    @property
    def trace(self) -> str:
        """What identifies everything that happened."""
        return self._digest.hexdigest()

    # --- processes ---------------------------------------------------------------------

    async def serve(self, name: str, *, workers: bool = True, skew: float = 0.0) -> Server | None:
        """Start a process; None when it died, or found its database too ill, before it was up."""
        process = Process(self.loop, name)
        self.processes.append(process)
        up: asyncio.Future[Server | None] = self.loop.create_future()

        def died() -> None:
            self.note(f"{name} died")
            if not up.done():
                up.set_result(None)

        process.on_death.append(died)
        leave = asyncio.Event()

        async def main() -> None:
            try:
                database = await SimDatabase.start(self.path, process, self.writers, self.faults, self._committed)
                try:
                    runtime = await self._compose(database, process, skew)
                    async with working(runtime) if workers else contextlib.nullcontext():
                        server = Server(process, runtime, database, leave, ended)
                        self.servers.append(server)
                        process.on_death.append(lambda: self.servers.remove(server) if server in self.servers else None)
                        up.set_result(server)
                        await leave.wait()
                finally:
                    await database.close()
            except Exception as exc:  # noqa: BLE001 - a process that fails ends, whatever it was
                self.note(f"{name} failed: {exc!r}")
                process.kill()

        ended = process.start(main())
        return await up

    async def stop(self, server: Server) -> tuple[int, int]:
        """End a process in good order; return how many of its connections were free in the end, of how many."""
        server.leave.set()
        await server.ended
        if server in self.servers:
            self.servers.remove(server)
        return server.database.idle

    async def call(self, server: Server, work: Callable[[Runtime], Awaitable[Any]]) -> Any:
        """Have a process do something; raises Lost when it died meanwhile, and what the work raises."""
        answered: asyncio.Future[Any] = self.loop.create_future()

        def died() -> None:
            if not answered.done():
                answered.set_exception(Lost())

        async def run() -> None:
            try:
                result = await work(server.runtime)
            except Exception as exc:  # noqa: BLE001 - it is handed to whoever asked
                if not answered.done():
                    answered.set_exception(exc)
            else:
                if not answered.done():
                    answered.set_result(result)

        if not server.process.alive:
            raise Lost
        server.process.on_death.append(died)
        server.process.start(run())
        try:
            return await answered
        finally:
            server.process.on_death.remove(died)

    def _committed(self) -> None:
        self.committed()

    async def _compose(self, database: SimDatabase, process: Process, skew: float) -> Runtime:
        clock = SimClock(self.loop, skew)
        chance = self.chance(f"process {process.name} {len(self.processes)}")
        store = DatabaseStore(database, clock)
        vault = Vault(MASTER_KEY)
        settings = Settings()
        await composition.unlock(store, vault)
        runtime = composition._compose(settings, clock, vault, self._assembly(clock, chance), store)
        runtime.ids._randbits = chance.getrandbits
        runtime.dispatcher._deliverer._rng = chance.random
        for keeper in runtime.keepers.values():
            keeper._holder = process.name
        await know_heads(runtime)
        return runtime

    def _assembly(self, clock: SimClock, chance: random.Random) -> Assembly:
        catalogue = Catalogue()
        catalogue.add_chains([Contribution("evm", EvmChain(network, self.http, clock)) for network in _networks()])
        catalogue.add_tokens([Contribution("evm", token) for network in _networks() for token in (network.native, *network.tokens)])
        catalogue.add_notifiers([Contribution("webhook-hmac", WebhookNotifier(self.http, clock))])
        sources = [Source(name, clock, self.faults, random.Random(chance.random()), self.wrong) for name in ("alpha", "beta", "gamma")]
        catalogue.add_rate_providers([Contribution("rates", each) for each in sources])
        return Assembly(PluginHost(), catalogue, {})


@cache
def _networks() -> tuple[Network, ...]:
    given = {key: {**settings, "rpc": [f"https://node{place}.{key}.example/" for place in range(_NODES)]} for key, settings in NETWORKS.items()}
    return EvmSettings.model_validate({"networks": given}).resolved()
