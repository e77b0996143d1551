"""The whole web application on a database of its own and a toy chain."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from pepay_core import runtime as composing
from pepay_core.api import Notifier, Rate, RateProvider, Receipt
from pepay_core.domain.coverage import ChainHealth, ChainState
from pepay_core.domain.merchants import KEY_SCOPES
from pepay_core.egress import check_url
from pepay_core.plugins.catalogue import Catalogue
from pepay_core.plugins.host import Contribution, PluginHost
from pepay_core.plugins.lifecycle import Assembly
from pepay_core.secrets import Vault
from pepay_core.services.callers import Caller
from pepay_core.services.founding import found
from pepay_core.services.keeping_keys import KeyRequest
from pepay_core.services.unlocking import unlock
from pepay_core.settings import DatabaseSettings, LimitsSettings, RatesSettings, ServerSettings, Settings
from pepay_core.storage.opening import open_store
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.toy import COIN, DOLLAR, TOY, ToyChain, ToyNet
from pepay_core.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from pepay_core.runtime import Runtime
    from pepay_core.web.app import Application


class Prices(RateProvider):
    """A dollar for a dollar, two thousand for a coin."""

    name = "prices"

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.known = {"usd-coin": Decimal(1), "toycoin": Decimal(2000)}

    async def rates(self, pairs):
        now = self.clock.now()
        return {pair: Rate(self.known[pair.base], now) for pair in pairs if pair.quote == "USD" and pair.base in self.known}


class Post(Notifier):
    """Looks at URLs as the stock notifier does, and delivers nowhere."""

    scheme = "webhook"

    async def check(self, url):
        check_url(url, allow_private=False)

    async def deliver(self, delivery):
        return Receipt(200)


@dataclass
class Web:
    """The application, whoever calls it, and what stands behind it."""

    app: Application
    client: httpx.AsyncClient
    runtime: Runtime
    clock: FakeClock
    net: ToyNet
    prices: Prices
    key: str
    live_key: str
    merchant: str

    @property
    def auth(self) -> dict[str, str]:
        return {"x-api-key": self.key}

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, headers={**self.auth, **options.pop("headers", {})}, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        headers = {**self.auth, **options.pop("headers", {})}
        return await self.client.post(path, json=body, headers=headers, **options)

    async def post_raw(self, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> httpx.Response:
        return await self.client.post(path, content=body, headers={**self.auth, "content-type": content_type, **headers})

    async def invoice(self, **fields: Any) -> dict[str, Any]:
        answer = await self.post("/api/v1/invoices", {"amount": "49.99", "currency": "USD", **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def new_key(self, **options: Any) -> str:
        """Return the text of another key of the same merchant."""
        livemode = options.pop("livemode", False)
        request = KeyRequest(**{"name": "another", "scopes": KEY_SCOPES, **options})
        async with self.runtime.store.begin() as tx:
            _, text = await self.runtime.keys.issue(tx, self.merchant, request, livemode=livemode)
        return text

    async def see_chain(self) -> None:
        """Have the watcher look at the chain once."""
        await self.runtime.look(TOY)


@pytest.fixture
def settings(sqlite_template: Path, tmp_path: Path) -> Settings:
    shutil.copyfile(sqlite_template, tmp_path / "pepay.db")
    return Settings(
        server=ServerSettings(base_url="http://localhost:8000", security_contact="mailto:security@example.com"),
        database=DatabaseSettings(url=SecretStr(f"sqlite:///{tmp_path / 'pepay.db'}")),
        rates=RatesSettings(quorum=1),
        limits=LimitsSettings(writes_per_minute=10_000, reads_per_minute=100_000, buyers_per_minute=10_000, sign_ins_per_minute=10_000),
    )


@pytest.fixture
def open_web(settings: Settings) -> Callable[..., Any]:
    """Open the application with other settings than the usual ones."""

    @asynccontextmanager
    async def opening(settings: Settings = settings, prepare: Callable[[Assembly], None] | None = None) -> AsyncIterator[Web]:
        clock, net, vault = FakeClock(), ToyNet(), Vault(bytes(32))
        prices = Prices(clock)
        held: dict[str, Any] = {}

        @asynccontextmanager
        async def factory() -> AsyncIterator[Runtime]:
            catalogue = Catalogue()
            catalogue.add_chains([Contribution("toy", ToyChain(net))])
            catalogue.add_tokens([Contribution("toy", COIN), Contribution("toy", DOLLAR)])
            catalogue.add_rate_providers([Contribution("prices", prices)])
            catalogue.add_notifiers([Contribution("post", Post())])
            assembly = Assembly(PluginHost(), catalogue, {})
            if prepare is not None:
                prepare(assembly)
            async with open_store(settings.database_url, clock) as store:
                await unlock(store, vault)
                made = composing._compose(settings, clock, vault, assembly, store)
                made.heads.put(ChainState(TOY, ChainHealth.HEALTHY, None, 0, clock.now(), clock.now()))
                # The test looks at the chain when it says so, not the keeper.
                await made.openings.open(made.catalogue.chain(TOY))
                founded = await found(store, made.keys, made.ids, clock, "Acme Coffee")
                await made.receiving.create(Caller(founded.merchant.id, False, "test"), "toy", "seed", "a seed")
                held.update(runtime=made, founded=founded)
                yield made

        app = create_app(settings, runtime_factory=factory, clock=clock)
        async with app.lifespan():
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                founded = held["founded"]
                yield Web(app, client, held["runtime"], clock, net, prices, founded.test_key, founded.live_key, founded.merchant.id)

    return opening


@pytest.fixture
async def web(open_web: Callable[..., Any]) -> AsyncIterator[Web]:
    async with open_web() as opened:
        yield opened
