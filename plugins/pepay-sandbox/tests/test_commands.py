"""The commands, as a shell runs them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from solders.keypair import Keypair

from pepay_core.api import from_base_units
from pepay_evm.derivation import check_xpub, deposit_address
from pepay_sandbox.demo.xpub import new_xpub

PEPAY = shutil.which("pepay", path=str(Path(sys.executable).parent))
SOMEBODY = "0x" + "56" * 20


@contextmanager
def running(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PEPAY_") or name == "PEPAY_ANVIL"}
    with subprocess.Popen([PEPAY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, json.load(exc)


def listening(url):
    with socket.socket() as probe:
        return probe.connect_ex((url.hostname, url.port)) == 0


def rpc_of(ready, method, *params):
    return post(ready["rpc"], {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})[1]["result"]


@pytest.fixture(scope="module")
def node():
    with running("sandbox", "evm", "--json", "--node", "py-evm", "--block-seconds", "0") as process:
        yield json.loads(process.stdout.readline()), process


def test_a_chain_says_where_it_is_and_what_lives_on_it(node):
    ready, _ = node

    assert set(ready) == {"rpc", "ws", "chain_id", "node", "tokens", "faucet"}
    assert (ready["ws"], ready["chain_id"], ready["node"]) == (None, 31337, "py-evm")
    assert [(each["symbol"], each["decimals"], each["rate_id"]) for each in ready["tokens"]] == [("USDC", 6, "usd-coin")]
    assert post(ready["rpc"], {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})[1]["result"] == "0x7a69"


def test_the_faucet_gives_what_is_asked_for_once_it_is_there(node):
    ready, _ = node

    status, answer = post(ready["faucet"], {"address": SOMEBODY, "eth": "1.5", "usdc": "10.25"})

    assert (status, len(answer["transactions"])) == (200, 2)
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": [SOMEBODY, "latest"]}
    assert from_base_units(int(post(ready["rpc"], call)[1]["result"], 16), 18) == 1.5
    balance = {"to": ready["tokens"][0]["address"], "data": "0x70a08231" + SOMEBODY[2:].rjust(64, "0")}
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [balance, "latest"]}
    assert int(post(ready["rpc"], call)[1]["result"], 16) == 10_250_000


@pytest.mark.parametrize(
    "wish",
    [
        [],
        {},
        {"address": "0x12"},
        {"address": SOMEBODY, "eth": 1},
        {"address": SOMEBODY, "usdc": "0.0000001"},
        {"address": SOMEBODY, "eth": "-1"},
        {"address": SOMEBODY, "btc": "1"},
        {"address": SOMEBODY, "eth": "1000000000"},
    ],
)
def test_the_faucet_declines_what_it_does_not_understand_or_have(node, wish):
    ready, _ = node

    status, answer = post(ready["faucet"], wish)

    assert status == 422
    assert answer["error"]


@pytest.fixture(scope="module")
def cluster_command():
    with running("sandbox", "solana", "--json", "--slot-ms", "50", "--final-slots", "2") as process:
        yield json.loads(process.stdout.readline())


def test_a_cluster_says_where_it_is_and_what_lives_on_it(cluster_command):
    ready = cluster_command

    assert set(ready) == {"rpc", "ws", "genesis", "tokens", "faucet"}
    assert [(each["symbol"], each["decimals"], each["rate_id"]) for each in ready["tokens"]] == [("USDC", 6, "usd-coin")]
    assert rpc_of(ready, "getGenesisHash") == ready["genesis"]
    assert rpc_of(ready, "getTokenSupply", ready["tokens"][0]["mint"])["value"]["uiAmountString"] == "1000000"
    assert urlsplit(ready["ws"]).port == urlsplit(ready["rpc"]).port + 1


def test_the_faucet_of_a_cluster_gives_what_is_asked_for(cluster_command):
    ready = cluster_command
    owner, mint = str(Keypair().pubkey()), ready["tokens"][0]["mint"]

    status, answer = post(ready["faucet"], {"address": owner, "sol": "1.5", "usdc": "10.25"})

    assert (status, len(answer["transactions"])) == (200, 2)
    assert rpc_of(ready, "getBalance", owner, {"commitment": "processed"})["value"] == 1_500_000_000
    [held] = rpc_of(ready, "getTokenAccountsByOwner", owner, {"mint": mint}, {"commitment": "processed", "encoding": "jsonParsed"})["value"]
    assert held["account"]["data"]["parsed"]["info"]["tokenAmount"]["uiAmountString"] == "10.25"


def test_the_faucet_of_a_cluster_opens_an_account_for_nothing(cluster_command):
    ready = cluster_command
    owner = str(Keypair().pubkey())

    assert post(ready["faucet"], {"address": owner, "usdc": "0"})[0] == 200
    program = {"programId": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"}
    assert len(rpc_of(ready, "getTokenAccountsByOwner", owner, program, {"commitment": "processed", "encoding": "base64"})["value"]) == 1


@pytest.mark.parametrize(
    "wish", [[], {}, {"address": "0x12"}, {"address": SOMEBODY}, {"address": "1" * 32, "sol": 1}, {"address": "1" * 32, "eth": "1"}]
)
def test_the_faucet_of_a_cluster_declines_what_it_does_not_understand(cluster_command, wish):
    status, answer = post(cluster_command["faucet"], wish)

    assert (status, bool(answer["error"])) == (422, True)


def test_a_cluster_whose_slots_are_left_to_the_caller_waits_for_him():
    with running("sandbox", "solana", "--json", "--slot-ms", "0") as process:
        ready = json.loads(process.stdout.readline())
        before = rpc_of(ready, "getSlot", {"commitment": "processed"})

        assert rpc_of(ready, "sandbox_tick", 3) == before + 3
        assert rpc_of(ready, "getSlot", {"commitment": "processed"}) == before + 3


def test_a_cluster_cannot_be_final_before_it_is_confirmed():
    with running("sandbox", "solana", "--confirm-slots", "3", "--final-slots", "2") as process:
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 2
    assert "--confirm-slots" in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_cluster_stops_cleanly_when_it_is_told_to(number):
    with running("sandbox", "solana") as process:
        assert "solana:" in process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 0
    assert errors == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_chain_stops_cleanly_when_it_is_told_to(number):
    with running("sandbox", "evm", "--node", "py-evm") as process:
        assert "31337" in process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 0
    assert errors == ""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, which Linux has")
def test_a_chain_that_is_killed_leaves_no_anvil_behind(anvil_here):
    with running("sandbox", "evm", "--node", "anvil", "--json") as process:
        rpc = urlsplit(json.loads(process.stdout.readline())["rpc"])
        process.kill()
        process.communicate(timeout=20)

    deadline = time.monotonic() + 10
    while listening(rpc):
        assert time.monotonic() < deadline, "anvil outlives the command that started it"
        time.sleep(0.05)


def test_a_port_that_is_taken_is_said_in_one_sentence(node):
    ready, _ = node
    with running("sandbox", "evm", "--node", "py-evm", "--port", ready["rpc"].rpartition(":")[2]) as process:
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "in use" in errors


def test_the_demo_merchants_xpub_is_one_that_the_evm_plugin_takes():
    xpub = new_xpub()

    assert check_xpub(xpub) == xpub
    assert len({deposit_address(xpub, index) for index in range(3)}) == 3
    assert new_xpub() != xpub
