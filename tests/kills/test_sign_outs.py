"""A thousand sign-outs, each while requests of the session are on their way: none of them brings it back."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from pepay_core.domain.errors import Unauthenticated
from pepay_core.domain.people import Level
from pepay_core.secrets import Vault
from pepay_core.services.minting import Ids
from pepay_core.services.people.composing import compose_people
from pepay_core.services.recording import Recorder, operator
from pepay_core.storage.opening import open_store
from pepay_core.testing.clock import FakeClock

SIGN_OUTS = 1000


async def later(turns, work):
    for _ in range(turns):
        await asyncio.sleep(0)
    return await work


@pytest.mark.slow
async def test_no_request_in_flight_brings_a_session_back(database_url):
    """Each request has read the session before or after the sign-out, and writes that it was seen, or rotates it."""
    clock, vault, chance = FakeClock(), Vault(bytes(32)), random.Random(7)
    ids = Ids(clock)
    async with open_store(database_url, clock) as store:
        people = compose_people(store, clock, ids, vault, "https://pay.example.com", Recorder(clock, vault))
        password = await people.accounts.prepare("correct horse battery")
        user = await store.run(lambda tx: people.accounts.create(tx, "ada@example.com", password, by=operator()))
        won = 0
        for _ in range(SIGN_OUTS):
            opened = await store.run(lambda tx: people.sessions.open(tx, user, level=Level.FULL))
            clock.jump(timedelta(minutes=2))

            async def rotate(session=opened.session):
                return await store.run(lambda tx: people.sessions.rotate(tx, session, user, level=Level.FULL))

            requests = [later(chance.randrange(40), people.sessions.find(opened.token)) for _ in range(3)]
            rotated, closed, *_ = await asyncio.gather(
                later(chance.randrange(40), rotate()),
                later(chance.randrange(40), people.sessions.close(opened.token)),
                *requests,
                return_exceptions=True,
            )
            assert isinstance(rotated, Unauthenticated) is closed
            assert await people.sessions.find(opened.token) is None
            won += closed
        await people.close()
    assert 0 < won < SIGN_OUTS
