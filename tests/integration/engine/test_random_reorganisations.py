"""Reorganisations of any depth while buyers pay: the credits are what the final chain holds, and every event is told once.

The default run makes a few dozen; ``nox -s reorganisations`` makes the two hundred of a release.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

import pytest
from engines import ETH

from pepay_core.services.paging import Page
from pepay_core.testing import erc20

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
WANTED = int(os.environ.get("PEPAY_TEST_REORGANISATIONS", "24"))
PER_RUN = 12
DEEPEST = 12


def held(node, start: int, token: str, addresses: set[str]) -> dict[tuple[str, str], int]:
    """Return what the chain holds for some addresses since a block: units by transaction and address."""
    found: dict[tuple[str, str], int] = {}
    for height in range(start + 1, node.height + 1):
        for each in node.rpc("eth_getBlockByNumber", hex(height), True)["transactions"]:
            to = (each["to"] or "").lower()
            if to in addresses and int(each["value"], 16):
                found[each["hash"], to] = int(each["value"], 16)
    for log in node.rpc("eth_getLogs", {"fromBlock": hex(start + 1), "toBlock": "latest", "address": token, "topics": [TRANSFER]}):
        to = "0x" + log["topics"][2][26:]
        if to in addresses:
            found[log["transactionHash"], to] = int(log["data"], 16)
    return found


async def events(pepay) -> list[dict[str, Any]]:
    """Return every event, in order."""
    found: list[dict[str, Any]] = []
    page = Page(limit=100)
    while True:
        part = await pepay.runtime.feed.page(pepay.caller, page, ())
        found += part.items
        if not part.has_more:
            return found
        page = Page(limit=100, starting_after=found[-1]["id"])


def check_each_version_is_told_once(told: list[dict[str, Any]]) -> None:
    """Insist that the events of an invoice follow its versions, and those of a payment its states."""
    versions: dict[str, list[int]] = {}
    states: dict[str, list[str]] = {}
    for event in told:
        obj = event["data"]["object"]
        if event["type"].startswith("invoice."):
            versions.setdefault(obj["id"], []).append(obj["version"])
        elif event["type"].startswith("payment."):
            states.setdefault(obj["id"], []).append(event["type"].partition(".")[2])
    for invoice, numbers in versions.items():
        assert numbers == sorted(numbers), invoice
        assert [number for number, count in Counter(numbers).items() if count > 1] == [], invoice
    follows = {None: {"detected"}, "detected": {"confirmed", "reverted"}, "confirmed": {"reverted"}, "reverted": {"detected"}}
    for payment, names in states.items():
        for before, after in zip([None, *names], names, strict=False):
            assert after in follows[before], (payment, names)


def last_told(told: list[dict[str, Any]], kind: str) -> dict[str, str]:
    """Return the last state that was told of each object of a kind."""
    return {event["data"]["object"]["id"]: event["data"]["object"]["status"] for event in told if event["type"].startswith(kind)}


@pytest.mark.parametrize("seed", range(-(-WANTED // PER_RUN)))
async def test_credits_equal_the_final_chain_and_no_event_is_lost_or_doubled(pepay, seed):
    chance = random.Random(f"reorganisations {seed}")
    node = pepay.node
    assets = [ETH, ETH, pepay.usdc_asset, pepay.usdc_asset]
    invoices = [await pepay.invoice(amount_usd=chance.choice(["5", "20", "60"]), pay_with=asset) for asset in assets]
    symbols = ["ETH" if asset == ETH else "USDC" for asset in assets]
    addresses = {pepay.option(each, symbol)["destination"].lower(): each for each, symbol in zip(invoices, symbols, strict=True)}
    start = node.height

    def pay() -> None:
        for place in chance.choices(range(len(invoices)), k=chance.randint(0, 4)):
            to = pepay.option(invoices[place], symbols[place])["destination"]
            if symbols[place] == "ETH":
                node.send(to, chance.randint(1, 10**16))
            else:
                node.send(pepay.usdc, data=erc20.transfer(to, chance.randint(1, 12_000_000)))

    depths: list[int] = []
    while len(depths) < PER_RUN:
        for _ in range(chance.randint(1, DEEPEST)):
            pay()
            pepay.mine()
            if chance.random() < 0.4:
                await pepay.look()
        depth = chance.randint(1, min(DEEPEST, node.height - start))
        signed = []
        for offset in range(depth):
            # Some of what was in the replaced blocks is mined again, in the same order and in another block.
            block = node.rpc("eth_getBlockByNumber", hex(node.height - depth + 1 + offset), True)
            raw = [node.rpc("eth_getRawTransactionByHash", each["hash"]) for each in block["transactions"]]
            signed += [(each, offset) for each in raw]
        kept = signed[: chance.randint(0, len(signed))]
        node.reorg(depth, kept)
        depths.append(depth)
        if chance.random() < 0.7:
            await pepay.look()
    await pepay.clock.advance(30)
    pepay.mine(3)
    await pepay.look()

    truth = held(node, start, pepay.usdc, set(addresses))
    credited: dict[tuple[str, str], int] = {}
    for to, invoice in addresses.items():
        found = await pepay.get(invoice)
        final = [each for each in found["payments"] if each["status"] == "confirmed"]
        credited |= {(each["transaction"], to): int(each["amount_base_units"]) for each in final}
        assert {each["status"] for each in found["payments"]} <= {"confirmed", "reverted"}
        assert (await pepay.balances(invoice)).get("wallet", 0) == sum(units for (_, address), units in truth.items() if address == to)
    assert credited == truth

    told = await events(pepay)
    assert "payment.reverted" in {each["type"] for each in told}
    check_each_version_is_told_once(told)
    payments = {each["id"]: each["status"] for invoice in invoices for each in (await pepay.get(invoice))["payments"]}
    assert last_told(told, "payment.") == payments
    statuses = {each["id"]: (await pepay.get(each))["status"] for each in invoices}
    assert last_told(told, "invoice.") == statuses
