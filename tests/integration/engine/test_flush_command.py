"""`pepay evm deploy-factory` and `pepay evm flush`, as they are typed, against a node and a database that the engine has filled."""

from __future__ import annotations

import asyncio
import json

import pytest
from depot import Depot, treasury_wallet, waiting
from engines import ETH
from hostile import CLOSED_CREATION

from pepay_core.cli.main import run
from pepay_core.testing import erc20
from pepay_evm.deposits import FACTORY, Treasury

# The second of the accounts that every test node has.
KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
PAYER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SAFE = "0x00000000000000000000000000000000000A11cE"


@pytest.fixture
def typed(settings, capsys, monkeypatch):
    """Return a function that types a command line and returns its exit code and everything that it said."""
    monkeypatch.setenv("GAS_KEY", KEY)

    async def command(*words):
        code = await asyncio.to_thread(run, ["--config", str(settings.config_path), "evm", *words])
        said = capsys.readouterr()
        assert KEY[2:] not in said.out + said.err
        return code, said.out + said.err

    return command


@pytest.fixture
async def paid(pepay):
    """Return a treasury wallet with three deposits: two in ETH, one in USDC with some ETH beside it. From here on the node mines by itself."""
    wallet = await treasury_wallet(pepay, SAFE)
    for asset, symbol in ((ETH, "ETH"), (ETH, "ETH"), (pepay.usdc_asset, "USDC")):
        pepay.pay(await pepay.invoice(pay_with=asset), symbol)
    pepay.mine(2)
    await pepay.look()
    pepay.node.send(Treasury.read(wallet["recovery"]).deposit(2), 7)
    pepay.mine()
    pepay.node.rpc("evm_setAutomine", True)
    return wallet


def held(pepay, owner=SAFE):
    return pepay.node.balance(owner), int(pepay.node.call(pepay.usdc, erc20.balance_of(owner)), 16)


async def test_the_factory_is_deployed_when_it_is_told_to_and_only_once(pepay, typed):
    pepay.node.rpc("evm_setAutomine", True)
    code, said = await typed("deploy-factory", "dev")
    assert (code, "Nothing was sent" in said) == (0, True)
    assert pepay.node.rpc("eth_getCode", FACTORY, "latest") == "0x"

    code, said = await typed("deploy-factory", "dev", "--send", "--yes", "--key-env", "GAS_KEY")
    assert (code, f"deployed at {FACTORY}" in said) == (0, True)
    assert pepay.node.rpc("eth_getCode", FACTORY, "latest") != "0x"
    assert "already" in (await typed("deploy-factory", "dev", "--send", "--yes", "--key-env", "GAS_KEY"))[1]


async def test_a_flush_shows_first_and_sends_when_it_is_told_to(pepay, paid, typed):
    code, said = await typed("flush", "dev")
    assert code == 1
    assert "49.99 USDC lies at 1 deposit(s)" in said
    assert "pepay evm deploy-factory dev" in said
    Depot(pepay.node)

    code, said = await typed("flush", "dev")
    assert code == 0
    assert "0.033340000000000007 ETH lies at 3 deposit(s)" in said
    assert "49.99 USDC lies at 1 deposit(s)" in said
    assert "Nothing was sent" in said
    assert held(pepay) == (0, 0)

    code, said = await typed("flush", "dev", "--send", "--yes", "--key-env", "GAS_KEY")
    assert (code, said.count("Mined: 0x")) == (0, 2)
    assert held(pepay) == (33_340_000_000_000_007, 49_990_000)
    await pepay.look()
    assert (await waiting(pepay, paid))[1:] == ("0.033340000000000007", "0")
    assert (await waiting(pepay, paid, pepay.usdc_asset))[1:] == ("49.99", "0")

    assert "Nothing lies" in (await typed("flush", "dev", "--send", "--yes", "--key-env", "GAS_KEY"))[1]


async def test_what_is_printed_can_be_signed_by_a_wallet_of_ones_own(pepay, paid, typed):
    Depot(pepay.node)
    code, said = await typed("flush", "dev", "--print", "--asset", "ETH")
    assert code == 0
    (transaction,) = json.loads(said)
    assert (transaction["chainId"], transaction["to"], transaction["value"]) == ("0x7a69", FACTORY, "0x0")

    transaction.pop("chainId")
    pepay.node.receipt(pepay.node.rpc("eth_sendTransaction", {"from": pepay.node.accounts[5], **transaction}))
    assert held(pepay) == (33_340_000_000_000_007 - 7, 0)


@pytest.mark.parametrize(
    ("words", "moved"),
    [
        (["--asset", "ETH", "--limit", "1"], (16_670_000_000_000_000, 0)),
        (["--asset", "USDC", "--min", "49.99"], (7, 49_990_000)),
        (["--asset", "USDC", "--min", "50"], (0, 0)),
        (["--asset", "ETH", "--everywhere"], (33_340_000_000_000_007, 0)),
        (["--batch", "1"], (33_340_000_000_000_007, 49_990_000)),
    ],
    ids=["limit", "at least", "too little", "everywhere", "one by one"],
)
async def test_a_flush_moves_what_was_asked_for_and_no_more(pepay, paid, typed, words, moved):
    Depot(pepay.node)
    code, _ = await typed("flush", "dev", "--send", "--yes", "--key-env", "GAS_KEY", *words)

    assert (code, held(pepay)) == (0, moved)


async def test_the_deposits_are_found_from_the_recovery_line_when_the_database_is_gone(pepay, paid, typed, settings):
    Depot(pepay.node)
    text = settings.config_path.read_text()
    settings.config_path.write_text(
        text.replace('url = "', 'url = "sqlite:////nowhere/', 1) if "sqlite" in text else text.replace("@/", "@/no_such_")
    )
    code, said = await typed("flush", "dev", "--recovery", paid["recovery"], "--count", "3", "--send", "--yes", "--key-env", "GAS_KEY")

    assert (code, held(pepay)) == (0, (33_340_000_000_000_007, 49_990_000)), said


async def test_a_deposit_that_cannot_be_moved_is_left_out_and_said(pepay, typed):
    closed = pepay.node.deploy(CLOSED_CREATION)
    await treasury_wallet(pepay, closed)
    pepay.pay(await pepay.invoice(pay_with=ETH), "ETH")
    pepay.mine(2)
    await pepay.look()
    Depot(pepay.node)

    code, said = await typed("flush", "dev", "--send", "--yes", "--key-env", "GAS_KEY")

    assert code == 0
    assert "left: 0x" in said
    assert "There is nothing to send" in said


async def test_an_account_with_a_transaction_under_way_sends_no_other(pepay, paid, typed):
    Depot(pepay.node)
    pepay.node.rpc("evm_setAutomine", False)
    pepay.node.send(SAFE, 1, sender=PAYER.lower())

    code, said = await typed("flush", "dev", "--send", "--yes", "--key-env", "GAS_KEY")

    assert code == 1
    assert "still waiting to be mined" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["flush", "nowhere"], "no network is called 'nowhere'"),
        (["flush", "dev", "--asset", "DOGE"], "has no 'DOGE'"),
        (["flush", "dev", "--min", "1"], "name the asset"),
        (["flush", "dev", "--wallet", "wal_unknown"], "no deposit was issued"),
        (["flush", "dev", "--recovery", "0x12"], "recovery line"),
        (["deploy-factory", "dev", "--send", "--key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY is empty"),
        (["deploy-factory", "dev", "--send", "--key-env", "BAD_KEY"], "no private key"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_makes_no_sense_is_refused_in_words(pepay, typed, monkeypatch, words, message):
    monkeypatch.setenv("BAD_KEY", "5ecret")
    code, said = await typed(*words)

    assert code != 0
    assert message in said
    assert "5ecret" not in said


async def test_the_key_may_be_in_an_encrypted_file(pepay, typed, tmp_path, monkeypatch):
    from eth_account import Account

    pepay.node.rpc("evm_setAutomine", True)
    path = tmp_path / "gas.json"
    path.write_text(json.dumps(Account.encrypt(KEY, "open sesame", kdf="pbkdf2", iterations=2)))
    monkeypatch.setenv("PEPAY_EVM_KEYSTORE_PASSWORD", "wrong")
    code, said = await typed("deploy-factory", "dev", "--send", "--yes", "--keystore", str(path))
    assert (code, "cannot be opened" in said) == (78, True)

    monkeypatch.setenv("PEPAY_EVM_KEYSTORE_PASSWORD", "open sesame")
    code, said = await typed("deploy-factory", "dev", "--send", "--yes", "--keystore", str(path))
    assert (code, FACTORY in said) == (0, True)
