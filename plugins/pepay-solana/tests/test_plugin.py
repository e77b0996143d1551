from __future__ import annotations

import logging
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from solders.keypair import Keypair

from pepay_core.api import InvalidAddress, NoDestination, PluginContext, Verdict
from pepay_core.clock import SystemClock
from pepay_core.testing.chain import reference
from pepay_solana import base58, pepay_chains, pepay_checks, pepay_tokens
from pepay_solana.addresses import TOKEN, TOKEN_2022
from pepay_solana.checks import ClusterCheck
from pepay_solana.clusters import Mint, spl
from pepay_solana.decoding import Account, Malformed
from pepay_solana.mints import _judged, read_mint
from pepay_solana.settings import SolanaSettings


def context(http, **clusters):
    return PluginContext("solana", SolanaSettings.model_validate({"clusters": clusters}), http, SystemClock(), logging.getLogger("test"))


async def test_every_configured_cluster_is_a_chain_with_its_tokens(http):
    ctx = context(http, mainnet={"rpc": ["http://127.0.0.1:9"]}, devnet={"rpc": ["http://127.0.0.1:9"]})
    chains = {chain.id: chain for chain in pepay_chains(ctx)}
    assert {chain.name for chain in chains.values()} == {"Solana", "Solana Devnet"}
    tokens = list(pepay_tokens(ctx, chains))
    assert [token.symbol for token in tokens] == ["SOL", "USDC", "USDT", "PYUSD", "EURC", "SOL", "USDC", "PYUSD"]
    assert all(chain.native in {token.id for token in tokens} for chain in chains.values())
    assert list(pepay_tokens(ctx, {})) == []
    assert [check.name for check in pepay_checks(ctx)] == ["solana mainnet", "solana devnet"]


def test_importing_the_plugin_imports_nothing_heavy():
    heavy = {"solders", "solana", "aiohttp", "pepay_solana.chain"}
    code = f"import sys, pepay_solana; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_list_of_addresses_ends_with_a_clear_word(make_chain):
    chain = make_chain()
    listed = [str(Keypair().pubkey()) for _ in range(2)]
    wallet = chain.parse_wallet("addresses", "\n".join(listed))
    assert [(await chain.issue(wallet, reference(index))).address for index in (0, 1)] == listed
    with pytest.raises(NoDestination, match="all 2 addresses"):
        await chain.issue(wallet, reference(2))


async def test_a_reference_is_the_random_key_of_the_invoice(make_chain):
    chain, own = make_chain(), str(Keypair().pubkey())
    issued = await chain.issue(chain.parse_wallet("address", own), reference(3))
    assert (issued.address, base58.decode_key(issued.reference)) == (own, reference(3).key)


# --- wallets ---------------------------------------------------------------------


async def test_a_wallet_lacks_the_accounts_that_are_not_there(cluster, make_chain):
    first, second = cluster.create_mint(6), cluster.create_mint(9, token_2022=True)
    chain = make_chain(tokens={"USDC": (first, 6), "OTHER": (second, 9, TOKEN_2022)})
    own = str(cluster.wallet().pubkey())
    wallet = chain.parse_wallet("address", own)
    assert set(await chain.shortcomings(wallet)) == {f"{chain.id}/token:{first}", f"{chain.id}/token:{second}"}
    cluster.create_token_account(own, first)
    (lack,) = (await chain.shortcomings(wallet)).items()
    assert lack[0] == f"{chain.id}/token:{second}"
    assert "OTHER" in lack[1]
    cluster.create_token_account(own, second)
    assert await chain.shortcomings(wallet) == {}


async def test_what_a_program_owns_is_no_wallet(cluster, make_chain):
    chain = make_chain()
    mint = cluster.create_mint(6)
    for kind, value in (("address", mint), ("addresses", [str(Keypair().pubkey()), mint])):
        with pytest.raises(InvalidAddress, match="a token account or a mint, not a wallet"):
            await chain.shortcomings(chain.parse_wallet(kind, value))


# --- mints -----------------------------------------------------------------------


async def test_mints_that_are_not_what_is_configured_are_refused(cluster, make_chain):
    plain, modern = cluster.create_mint(6), cluster.create_mint(6, token_2022=True)
    nowhere, wallet = str(Keypair().pubkey()), str(cluster.wallet().pubkey())
    chain = make_chain(tokens={"A": (plain, 6), "B": (modern, 6), "C": (nowhere, 6), "D": (wallet, 6), "E": (cluster.create_mint(9), 6)})
    await chain.open()
    reasons = {asset.rpartition(":")[2]: reason for asset, reason in chain.refused.items()}
    assert plain not in reasons
    assert 'set program = "token-2022"' in reasons[modern]
    assert "no mint at this address" in reasons[nowhere]
    assert "a program that keeps no tokens" in reasons[wallet]
    assert any("configured with 6 decimals, and its mint has 9" in reason for reason in reasons.values())


def mint_account(*extensions, decimals=6, program=TOKEN_2022):
    data = bytes(44) + bytes([decimals, 1]) + bytes(36)
    if extensions:
        data += bytes(165 - 82) + b"\1" + b"".join(struct.pack("<HH", number, len(content)) + content for number, content in extensions)
    return Account(program, 1, data)


def judged(*extensions, mint="9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM", allowed=()):
    known = Mint(mint, TOKEN_2022, spl("4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY", "T", mint, 6, "t"))
    return _judged(known, mint_account(*extensions), allowed)


@pytest.mark.parametrize("number", [1, 18, 19, 20, 21, 22])
def test_what_changes_nothing_about_money_that_arrived_is_accepted(number):
    assert judged((number, bytes(64))) is None
    assert judged() is None


@pytest.mark.parametrize("number", [3, 4, 6, 9, 10, 12, 14, 16, 24, 25, 26, 27, 99])
def test_what_gives_power_over_money_that_arrived_is_refused(number):
    reason = judged((18, bytes(64)), (number, bytes(64)))
    assert "has the extension" in reason or "does not know" in reason


def test_the_operator_may_accept_what_is_named():
    assert judged((12, bytes(32)), allowed=["permanent_delegate"]) is None
    assert "pausable" in judged((12, bytes(32)), (26, bytes(33)), allowed=["permanent_delegate"])


def test_pyusd_is_accepted_as_its_issuer_documented_it_and_no_further():
    pyusd = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"
    documented = [(3, bytes(32)), (12, bytes(32)), (1, bytes(108)), (4, bytes(65)), (16, bytes(129)), (18, bytes(64)), (19, bytes(90))]
    assert judged(*documented, (14, bytes(64)), mint=pyusd) is None
    assert "a program decides about each transfer" in judged(*documented, (14, bytes(32) + b"\7" * 32), mint=pyusd)
    assert "pausable" in judged(*documented, (26, bytes(33)), mint=pyusd)


@pytest.mark.parametrize(
    "data",
    [b"", bytes(81), bytes(82), bytes(165), bytes(166), bytes(44) + b"\6\1" + bytes(36 + 83) + b"\2", mint_account((18, bytes(64))).data[:-1]],
)
def test_what_is_no_mint_is_not_read_as_one(data):
    with pytest.raises(Malformed):
        read_mint(Account(TOKEN, 1, data))


# --- doctor ----------------------------------------------------------------------


class Later(SystemClock):
    def now(self):
        return datetime.now(UTC) + timedelta(hours=2)


async def findings(cluster, http, clock=None):
    return [(each.verdict, each.message, bool(each.remedy)) for each in await ClusterCheck(cluster, http, clock or SystemClock()).run()]


async def test_doctor_is_content_with_a_healthy_cluster(cluster, http, make_cluster):
    mint = cluster.create_mint(6)
    assert await findings(make_cluster(tokens={"USDC": (mint, 6)}), http) == [(Verdict.OK, f"at slot {cluster.slot - 1}", False)]


async def test_doctor_names_every_problem_with_its_remedy(cluster, http, make_cluster):
    assert await findings(make_cluster("http://127.0.0.1:9"), http) == [
        (Verdict.PROBLEM, "http://127.0.0.1:9: cannot connect (Connection refused)", True)
    ]
    other = str(Keypair().pubkey())
    assert await findings(make_cluster(genesis=other), http) == [
        (Verdict.PROBLEM, f"{cluster.url} serves the cluster with genesis {cluster.genesis}", True)
    ]
    described = make_cluster(idle=False, tokens={"USDC": (cluster.create_mint(9), 6)})
    stale, decimals = await findings(described, http, Later())
    assert (stale[0], stale[2]) == (Verdict.WARNING, True)
    assert stale[1].startswith("its newest block is 7")
    assert decimals == (Verdict.PROBLEM, "USDC is configured with 6 decimals, and its mint has 9", True)


async def test_doctor_does_not_judge_the_age_of_an_idle_cluster(cluster, http, make_cluster):
    assert [verdict for verdict, _, _ in await findings(make_cluster(), http, Later())] == [Verdict.OK]
