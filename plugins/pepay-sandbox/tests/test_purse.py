"""The wallets of the demo: the one that has the money pays, and says what for."""

from types import SimpleNamespace

import pytest

from pepay_core.api import ConfigError, InvalidInput
from pepay_sandbox.demo.command import _choice
from pepay_sandbox.demo.purse import Purse
from pepay_sandbox.demo.shop import Choice
from pepay_sandbox.jsonrpc import RpcError
from pepay_sandbox.solana import instructions, programs
from pepay_sandbox.solana.local_cluster import local_cluster
from pepay_sandbox.solana.wallet import SolanaWallet, new_address
from pepay_sandbox.wallet import TestWallet


@pytest.fixture
async def local(session):
    """A cluster as the demo runs it, whose time stands still."""
    async with local_cluster(session, slot_ms=0) as local:
        yield local


@pytest.fixture
async def on_solana(local):
    return await SolanaWallet.open(local)


@pytest.fixture
async def purse(small_chain, local, on_solana):
    return Purse({small_chain.id: await TestWallet.open(small_chain), local.id: on_solana})


async def test_each_coin_is_paid_on_its_own_chain(purse, small_chain, local):
    shop, reference = new_address(), new_address()

    ether = await purse.pay(f"{small_chain.id}/slip44:60", "0x" + "56" * 20, 10**15)
    sol = await purse.pay(f"{local.id}/slip44:501", shop, 10**9, reference=reference)
    await local.settle()

    assert (await small_chain.receipt(ether))["status"] == "0x1"
    assert (await local.client.call("getBalance", shop))["value"] == 10**9
    [found] = await local.client.call("getSignaturesForAddress", reference)
    assert found["signature"] == sol


async def test_a_token_is_paid_into_the_account_of_its_owner_with_the_reference_and_last(purse, local, on_solana):
    usdc, shop, reference = await on_solana.deploy_token(), new_address(), new_address()
    await on_solana.open_account(usdc, shop)

    paid = await purse.pay(f"{local.id}/token:{usdc.mint}", shop, 24_000_000, reference=reference)
    await local.settle()

    account = instructions.token_account_of(shop, usdc.mint)
    assert (await local.client.call("getTokenAccountBalance", account))["value"]["amount"] == "24000000"
    found = await local.client.call("getTransaction", paid, {"encoding": "jsonParsed"})
    last = found["transaction"]["message"]["instructions"][-1]
    assert (last["programId"], last["parsed"]["type"]) == (programs.TOKEN, "transferChecked")
    assert last["parsed"]["info"]["signers"] == [reference]


async def test_a_token_is_not_sent_to_who_has_no_account_for_it(purse, local, on_solana):
    usdc = await on_solana.deploy_token()

    with pytest.raises(RpcError, match="simulation failed"):
        await purse.pay(f"{local.id}/token:{usdc.mint}", new_address(), 1)


async def test_what_is_on_no_chain_of_the_purse_is_not_paid(purse, small_chain, on_solana):
    with pytest.raises(InvalidInput, match="not on eip155:1"):
        await purse.pay("eip155:1/slip44:60", "0x" + "56" * 20, 1)
    with pytest.raises(InvalidInput, match="only"):
        await on_solana.pay(f"{small_chain.id}/slip44:60", new_address(), 1)


def test_a_coin_of_a_plugin_that_is_not_installed_is_refused_with_its_name():
    usdc = Choice("eip155:31337/erc20:0x00", "USDC", "", "usdc")
    running = SimpleNamespace(choices=(usdc,))

    assert _choice(running, "usdc") is usdc
    with pytest.raises(ConfigError, match="pepay-solana is not installed"):
        _choice(running, "sol")
