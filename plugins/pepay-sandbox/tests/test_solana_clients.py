"""What wallets and shops are written with works against the cluster as it comes from the registry."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from solders.keypair import Keypair

from pepay_sandbox.solana.testing import Cluster

SCRIPTS = Path(__file__).parent / "js"


@pytest.fixture(scope="module")
def running():
    """A cluster whose time passes, quickly."""
    with Cluster(slot_ms=50, final_slots=4) as cluster:
        yield cluster


@pytest.mark.parametrize("package", ["@solana/kit", "kit-next"])
def test_kit_makes_a_token_and_moves_it(running, solana_js, package):
    said = solana_js.run(SCRIPTS / "kit.mjs", package, running.url, running.ws_url)

    assert said["told"]["amount"] == "5250000"
    assert (str(said["version"]), said["fee"], said["errors"]) == ("0", "5000", [None, None, None])
    [arrived] = [each for each in said["after"] if each["owner"] == said["shop"]]
    assert (arrived["mint"], arrived["uiTokenAmount"]["amount"]) == (said["mint"], "5250000")
    assert said["instruction"]["type"] == "transferChecked"
    assert said["instruction"]["info"]["tokenAmount"]["uiAmountString"] == "5.25"
    assert said["sameSignature"]
    assert said["history"] == [[True, None], [False, None]]
    assert said["held"] == ["5.25"]
    assert said["lamports"] == "1000000"
    assert said["tooBig"]["preflight"]


@pytest.mark.parametrize("coin", ["SOL", "USDC", "a coin of Token-2022"])
def test_solana_pay_pays_what_a_url_asks_and_finds_it(running, solana_js, coin):
    buyer, shop, reference = running.wallet(), str(running.wallet().pubkey()), str(Keypair().pubkey())
    wanted = {"amount": "1.25", "reference": reference, "memo": "order 7", "label": "Coffee"}
    if coin != "SOL":
        wanted["spl-token"] = running.create_mint(6, token_2022=coin != "USDC")
        running.mint_to(wanted["spl-token"], str(buyer.pubkey()), 9_000_000)
        running.create_token_account(shop, wanted["spl-token"])
    running.settle()

    said = solana_js.run(SCRIPTS / "pay.mjs", running.url, running.ws_url, f"solana:{shop}?{urlencode(wanted)}", json.dumps(list(bytes(buyer))))

    assert said["seen"] == said["found"]
    assert (said["failed"], said["error"]) == (None, None)
    assert said["memo"] == "[7] order 7"
    assert "amount" in said["wrong"]


def test_web3_js_pays_through_a_lookup_table_and_hears_of_it(running, solana_js):
    said = solana_js.run(SCRIPTS / "web3.mjs", running.url, running.ws_url)

    assert said["table"] == 3
    assert (said["simulated"], said["units"]) == (None, True)
    assert said["logs"] == [True, None]
    assert said["balance"] == "1500000"
    assert (said["version"], said["static"], said["loaded"], said["lookedUp"]) == (0, False, True, 3)
    assert said["after"] == {"amount": "1500000", "decimals": 6, "uiAmount": 1.5, "uiAmountString": "1.5"}
    assert said["history"] == [True]
    assert "-32015" in said["unread"]
    assert said["fee"] == 100
    assert said["arrived"] == "9900"
    assert said["feeSaid"] == "100"
    assert said["declined"]["typed"]
    assert "insufficient lamports" in json.dumps(said["declined"]["logs"])
