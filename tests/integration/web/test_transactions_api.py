"""Explain and rescan over HTTP: scoped, and blind for what is another's."""

from __future__ import annotations

import pytest

from pepay_core.domain.chains import Feature
from pepay_core.domain.inspecting import Inspection
from pepay_core.testing.toy import COIN, TOY


@pytest.fixture
async def paid(web, monkeypatch):
    """Return an invoice and the transaction that paid it, on a chain that can be asked about transactions."""
    chain = web.runtime.catalogue.chain(TOY)

    async def inspect(tx, watched):
        for each in chain.blocks():
            for transaction in each.transactions:
                if transaction.id == tx:
                    ours = {destination.address: destination for destination in watched}
                    found = tuple(transfer for transfer in chain.arrivals(each, ours) if transfer.tx == tx)
                    return Inspection(tx, each.block, not transaction.succeeds, found, named=frozenset(to for _, to, _ in transaction.payments))
        return None

    monkeypatch.setattr(chain, "features", chain.features | Feature.INSPECT, raising=False)
    monkeypatch.setattr(chain, "inspect", inspect, raising=False)
    await web.see_chain()
    invoice = await web.invoice(pay_with=COIN.id)
    (option,) = [each for each in invoice["payment_options"] if each["destination"]]
    transaction = web.net._send([(COIN.id, option["destination"], int(option["quote"]["amount_base_units"]))])
    # The toy chain's time began long before; an address is paid after it was given out.
    web.net.seconds = int((web.clock.now() - web.net.blocks[-1].block.time).total_seconds()) + 10
    await web.net.mine()
    web.net.seconds = 10
    await web.net.mine()
    await web.see_chain()
    return invoice, transaction


async def test_a_transaction_is_explained(web, paid):
    invoice, transaction = paid

    answer = (await web.get(f"/api/v1/transactions/{transaction}/explain")).json()
    on_chain = (await web.get(f"/api/v1/transactions/{transaction}/explain", params={"chain": TOY})).json()
    unknown = (await web.get("/api/v1/transactions/tx999/explain")).json()

    assert (answer["object"], answer["answer"], answer["chain"], answer["rescan"]) == ("explanation", "credited", TOY, None)
    assert [each["invoice"] for each in answer["transfers"]] == [invoice["id"]]
    assert on_chain == answer
    assert (unknown["answer"], unknown["transfers"]) == ("not_on_chain", [])


async def test_a_chain_that_is_not_there_or_of_the_other_environment_is_refused(web, paid):
    _, transaction = paid
    path = f"/api/v1/transactions/{transaction}/explain"

    strange = await web.get(path, params={"chain": "toy:2"})
    live = await web.get(path, headers={"x-api-key": web.live_key})
    rescanned = await web.post(f"/api/v1/chains/{TOY}/rescan", {"from_block": 0, "to_block": 1}, headers={"x-api-key": web.live_key})

    assert (strange.status_code, strange.json()["error"]["code"]) == (422, "unknown_asset")
    assert live.status_code == 422
    assert (rescanned.status_code, rescanned.json()["error"]["code"]) == (422, "unknown_asset")


async def test_a_rescan_credits_what_is_missing_and_nothing_twice(web, paid):
    invoice, transaction = paid
    async with web.runtime.store.begin() as tx:
        await tx.payments._raw("DELETE FROM pepay_entry")
        await tx.payments._raw("DELETE FROM pepay_payment")
    missed = (await web.get(f"/api/v1/transactions/{transaction}/explain")).json()
    body = missed["rescan"]

    first = (await web.post(f"/api/v1/chains/{TOY}/rescan", body)).json()
    second = (await web.post(f"/api/v1/chains/{TOY}/rescan", body)).json()

    assert missed["answer"] == "missed"
    assert [(each["invoice"], each["transaction"]) for each in first["credited"]] == [(invoice["id"], transaction)]
    assert (first["reached"], second["seen"], second["credited"]) == (body["to_block"], 1, [])


async def test_a_range_that_was_not_looked_at_yet_is_refused(web, paid):
    answer = await web.post(f"/api/v1/chains/{TOY}/rescan", {"from_block": 0, "to_block": 10_000})

    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, "to_block")


async def test_a_rescan_needs_the_scope_to_write(web, paid):
    reader = await web.new_key(scopes=("invoices:read",))

    refused = await web.post(f"/api/v1/chains/{TOY}/rescan", {"from_block": 0, "to_block": 1}, headers={"x-api-key": reader})
    allowed = await web.get(f"/api/v1/transactions/{paid[1]}/explain", headers={"x-api-key": reader})

    assert (refused.status_code, allowed.status_code) == (403, 200)
