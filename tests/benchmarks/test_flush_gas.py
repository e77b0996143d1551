"""What a flush costs, in gas: measured on a node, and held against the table in docs/reference/performance.md.

Gas is the same on every machine, so the table is not a claim but a test. Run it alone, and print what was measured:

    uv run pytest tests/benchmarks/test_flush_gas.py -s
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from depot import NATIVE, TREASURY, Depot

from pepay_core.testing import erc20
from pepay_core.testing.anvil import new_anvil
from pepay_evm.deposits import Treasury

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "performance.md"
COUNTS = (1, 10, 50, 200)


@pytest.fixture(scope="module")
def measured():
    """Return the gas per deposit by what is flushed and how many at once. The treasury holds some already, as it does in use."""
    with new_anvil() as node:
        depot = Depot(node)
        usdc, usdt = depot.coin(), depot.coin(erc20.silent_coin("USDT", 6, 10**15))
        rows = {
            "token": (usdc, usdc),
            "token that returns nothing": (usdt, usdt),
            "native coin": (NATIVE, NATIVE),
            "token and native coin": (usdc, usdc),
        }
        for token in (usdc, usdt):
            depot.run(token, erc20.transfer(TREASURY, 1))
        found = {}
        for name, (token, flushed) in rows.items():
            for count in COUNTS:
                treasury = Treasury(TREASURY, f"{name}{count}".encode()[-16:].rjust(16))
                for index in range(count):
                    if token != NATIVE:
                        node.send(token, data=erc20.transfer(treasury.deposit(index), 5_000_000), gas=100_000)
                    if token == NATIVE or "and" in name:
                        node.send(treasury.deposit(index), 10**15, gas=21_000)
                    if index % 100 == 99:
                        node.mine()
                node.mine()
                receipt = depot.flush(TREASURY, flushed, [treasury.ref(index) for index in range(count)], gas=16_000_000)
                assert receipt["status"] == "0x1"
                assert len(depot.events(receipt)) == count * (2 if "and" in name else 1)
                found[name, count] = int(receipt["gasUsed"], 16) // count
    return found


def test_what_is_measured_is_what_the_page_says(measured):
    head = "| one flush of | " + " | ".join(f"{count} at once" if count > 1 else "1" for count in COUNTS) + " |"
    names = dict.fromkeys(name for name, _ in measured)
    table = "\n".join(
        ["", head, "|---|" + "---|" * len(COUNTS)]
        + [f"| {name} | " + " | ".join(f"{measured[name, count]:,}" for count in COUNTS) + " |" for name in names]
    )
    print(table)  # noqa: T201 - what the benchmark is run for

    text = PAGE.read_text(encoding="utf-8")
    for name in names:
        written = re.search(rf"^\| {name} \| (.+) \|$", text, re.MULTILINE)
        assert written, f"docs/reference/performance.md has no row {name!r}"
        for count, given in zip(COUNTS, written[1].split(" | "), strict=True):
            # Addresses are random, and each zero byte in the call data costs less than another one.
            assert abs(int(given.replace(",", "")) - measured[name, count]) <= 40, f"{name}, {count}: {measured[name, count]}"
