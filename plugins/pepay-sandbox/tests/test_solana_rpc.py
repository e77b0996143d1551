"""The interface of the cluster, answer by answer: what a real node says, also to what is wrong."""

import base64
import http.client
import json

import aiohttp
import pytest
from solders.keypair import Keypair

from pepay_sandbox.solana import base58, instructions, programs
from pepay_sandbox.solana.testing import SOL, ClusterError

CONFIRMED = {"commitment": "confirmed"}
NOBODY = str(Keypair().pubkey())


def pubkey(keypair):
    return str(keypair.pubkey())


def ask(cluster, body, method="POST", headers=None):
    """Return status, headers and body of a plain HTTP request."""
    connection = http.client.HTTPConnection(cluster.url.removeprefix("http://"), timeout=20)
    try:
        text = body if isinstance(body, str) else json.dumps(body)
        connection.request(method, "/", text, {"content-type": "application/json"} | (headers or {}))
        answer = connection.getresponse()
        read = answer.read()
        return answer.status, dict(answer.getheaders()), json.loads(read) if read[:1] in b"{[" and read else read
    finally:
        connection.close()


def call(method, *params, number=1):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


@pytest.fixture
def buyer(cluster):
    return cluster.wallet()


@pytest.fixture
def shop(cluster):
    return pubkey(cluster.wallet(SOL))


# --- calls ----------------------------------------------------------------------------


def test_a_batch_is_answered_in_order_each_call_for_itself(cluster):
    _, _, answers = ask(cluster, [call("getHealth", number="a"), call("getNothing", number=2), {"jsonrpc": "2.0", "method": "ping"}])

    assert [(each["id"], each.get("result"), each.get("error", {}).get("code")) for each in answers] == [("a", "ok", None), (2, None, -32601)]


def test_what_is_no_call_is_told_so(cluster):
    assert ask(cluster, "{")[2]["error"]["code"] == -32700
    assert ask(cluster, [])[2]["error"]["code"] == -32600
    assert ask(cluster, {"id": 1})[2]["error"]["code"] == -32600
    assert ask(cluster, call("getHealth") | {"params": {}})[2]["error"]["code"] == -32602
    assert ask(cluster, call("getHealth"), headers={"content-type": "text/plain"})[0] == 415
    assert ask(cluster, "", method="GET")[0] == 405
    assert ask(cluster, {"jsonrpc": "2.0", "method": "ping"})[2] == b""


def test_browsers_of_any_site_may_ask(cluster):
    status, headers, _ = ask(
        cluster, "", method="OPTIONS", headers={"Origin": "https://shop.example", "Access-Control-Request-Headers": "solana-client"}
    )

    assert (status, headers["Access-Control-Allow-Origin"], headers["Access-Control-Allow-Headers"]) == (204, "*", "solana-client")
    assert ask(cluster, call("getHealth"))[1]["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("method", "params", "code", "message"),
    [
        ("getBalance", ["0OIl"], -32602, "Invalid param: Invalid"),
        ("getBalance", ["abc"], -32602, "Invalid param: WrongSize"),
        ("getBalance", ["1" * 5000], -32602, "Invalid param: WrongSize"),
        ("getBalance", [5], -32602, "Invalid params: invalid type: integer `5`, expected an address."),
        ("getBalance", [], -32602, "`params` should have at least 1 argument(s)"),
        ("getBalance", [NOBODY, {}, 1], -32602, "`params` should have at most 2 argument(s)"),
        ("getBalance", [NOBODY, {"commitment": "sure"}], -32602, "unknown variant `sure`"),
        ("getBalance", [NOBODY, {"minContextSlot": 10**6}], -32016, "Minimum context slot has not been reached"),
        ("getTransaction", ["abc"], -32602, "Invalid param: WrongSize"),
        ("getTransaction", [base58.encode(b"\1" * 64), {"commitment": "processed"}], -32602, "Method does not support commitment below `confirmed`"),
        ("getSignaturesForAddress", [NOBODY, {"commitment": "processed"}], -32602, "Method does not support commitment below `confirmed`"),
        ("getSignaturesForAddress", [NOBODY, {"limit": 1001}], -32602, "Invalid limit; max 1000"),
        ("getSignatureStatuses", [["1"] * 257], -32602, "Too many inputs provided; max 256"),
        ("getMultipleAccounts", [[NOBODY] * 101], -32602, "Too many inputs provided; max 100"),
        (
            "getAccountInfo",
            [programs.MEMO, CONFIRMED],
            -32602,
            "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.",
        ),
        ("getTokenAccountBalance", [NOBODY], -32602, "Invalid param: could not find account"),
        ("getTokenAccountBalance", [programs.MEMO], -32602, "Invalid param: not a Token account"),
        ("getTokenSupply", [NOBODY], -32602, "Invalid param: could not find account"),
        ("getTokenAccountsByOwner", [NOBODY, {"mint": NOBODY}], -32602, "Invalid param: could not find mint"),
        ("getTokenAccountsByOwner", [NOBODY, {"programId": NOBODY}], -32602, "Invalid param: unrecognized Token program id"),
        ("getBlock", [10**6], -32004, "Block not available for slot 1000000"),
        ("sendTransaction", ["!", {"encoding": "base64"}], -32602, "invalid base64 encoding"),
        ("sendTransaction", [base64.b64encode(b"x" * 1233).decode(), {"encoding": "base64"}], -32602, "too large"),
        ("sendTransaction", [base64.b64encode(b"xyz").decode(), {"encoding": "base64"}], -32602, "failed to deserialize"),
        ("requestAirdrop", [NOBODY, 10**19], -32603, "airdrop request failed"),
        ("sandbox_rollback", [10**6], -32602, "not final"),
    ],
)
def test_what_cannot_be_answered_is_refused_as_nodes_do(cluster, method, params, code, message):
    error = ask(cluster, call(method, *params))[2]["error"]

    assert error["code"] == code
    assert message in error["message"]


def test_a_slot_that_is_not_reached_is_said_with_the_one_that_is(cluster):
    with pytest.raises(ClusterError) as refused:
        cluster.rpc("getSlot", {"minContextSlot": 10**6, "commitment": "processed"})

    assert (refused.value.code, refused.value.data) == (-32016, {"contextSlot": cluster.slot})


def test_null_members_of_a_configuration_are_as_good_as_none(cluster, shop):
    full = {"encoding": "json", "transactionDetails": None, "rewards": None, "maxSupportedTransactionVersion": None, "commitment": "confirmed"}

    assert cluster.rpc("getBlock", 1, full)["blockHeight"] == 1
    assert cluster.rpc("getAccountInfo", shop, {"encoding": None, "dataSlice": None, "commitment": "processed"})["value"]["lamports"] == SOL


# --- sending --------------------------------------------------------------------------


def test_a_transaction_that_would_fail_is_declined_with_its_logs(cluster, buyer, shop):
    with pytest.raises(ClusterError) as refused:
        cluster.transfer(buyer, shop, 10**15)

    assert refused.value.code == -32002
    assert str(refused.value).endswith("Transaction simulation failed: Error processing Instruction 1: custom program error: 0x1")
    assert refused.value.data["err"] == {"InstructionError": [1, {"Custom": 1}]}
    assert "Transfer: insufficient lamports" in "".join(refused.value.data["logs"])
    assert set(refused.value.data) >= {"accounts", "unitsConsumed", "returnData", "innerInstructions", "replacementBlockhash"}


def test_a_failed_transaction_lands_costs_its_fee_and_moves_nothing(cluster, buyer, shop):
    before = cluster.balance(pubkey(buyer))

    failed = cluster.send([instructions.send_lamports(pubkey(buyer), shop, 10**15)], [buyer], fails=True)
    cluster.tick()

    found = cluster.rpc("getTransaction", failed, CONFIRMED)
    assert found["meta"]["err"] == {"InstructionError": [1, {"Custom": 1}]}
    assert found["meta"]["status"] == {"Err": found["meta"]["err"]}
    assert cluster.balance(pubkey(buyer)) == before - 5000
    assert cluster.rpc("getSignaturesForAddress", shop, CONFIRMED)[0]["err"] == found["meta"]["err"]


def test_a_transaction_lands_once_however_often_it_is_sent(cluster, buyer, shop):
    raw = cluster.build([instructions.send_lamports(pubkey(buyer), shop, 1_000_000)], [buyer])
    cluster.send_raw(raw)

    with pytest.raises(ClusterError, match="already been processed"):
        cluster.send_raw(raw)
    cluster.send_raw(raw, skip_preflight=True)
    assert cluster.balance(shop) == SOL + 1_000_000


def test_a_transaction_that_is_too_old_lands_no_more(cluster, buyer, shop):
    raw = cluster.build([instructions.send_lamports(pubkey(buyer), shop, 1_000_000)], [buyer])
    cluster.tick(151)

    with pytest.raises(ClusterError, match="Blockhash not found"):
        cluster.send_raw(raw)
    cluster.send_raw(raw, skip_preflight=True)
    assert cluster.balance(shop) == SOL


def test_a_blockhash_is_good_for_150_blocks(cluster):
    latest = cluster.rpc("getLatestBlockhash", {"commitment": "processed"})["value"]
    height = cluster.rpc("getBlockHeight", {"commitment": "processed"})

    def valid():
        return cluster.rpc("isBlockhashValid", latest["blockhash"], {"commitment": "processed"})["value"]

    assert latest["lastValidBlockHeight"] == height + 150
    cluster.tick(150)
    assert valid()
    cluster.tick()
    assert not valid()


def test_a_transaction_that_nobody_signed_is_declined_or_vanishes(cluster, buyer, shop):
    raw = bytearray(cluster.build([instructions.send_lamports(pubkey(buyer), shop, 1_000_000)], [buyer]))
    raw[5] ^= 1

    with pytest.raises(ClusterError, match="signature verification failure") as refused:
        cluster.send_raw(bytes(raw))
    assert refused.value.code == -32003
    cluster.send_raw(bytes(raw), skip_preflight=True)
    assert cluster.balance(shop) == SOL


def test_a_preflight_sees_what_its_commitment_sees(cluster, shop):
    poor = Keypair()
    cluster.airdrop(pubkey(poor), SOL)
    raw = base64.b64encode(cluster.build([instructions.send_lamports(pubkey(poor), shop, 1_000_000)], [poor])).decode()

    with pytest.raises(ClusterError, match="no record of a prior credit"):
        cluster.rpc("sendTransaction", raw, {"encoding": "base64"})
    cluster.settle()
    cluster.rpc("sendTransaction", raw, {"encoding": "base64"})
    assert cluster.balance(shop) == SOL + 1_000_000


def test_a_simulation_keeps_nothing_and_shows_what_would_be(cluster, buyer, shop):
    raw = base64.b64encode(cluster.build([instructions.send_lamports(pubkey(buyer), shop, 1_000_000)], [buyer])).decode()

    config = {
        "encoding": "base64",
        "commitment": "processed",
        "accounts": {"addresses": [shop, NOBODY], "encoding": "base64"},
        "innerInstructions": True,
    }
    said = cluster.rpc("simulateTransaction", raw, config | {"replaceRecentBlockhash": True})["value"]

    assert (said["err"], said["accounts"][0]["lamports"], said["accounts"][1]) == (None, SOL + 1_000_000, None)
    assert said["replacementBlockhash"]["blockhash"]
    assert said["innerInstructions"] == []
    assert cluster.balance(shop) == SOL


def test_fees_are_told_with_what_is_offered_on_top(cluster, buyer, shop):
    from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
    from solders.transaction import VersionedTransaction

    offer = [set_compute_unit_limit(100_000), set_compute_unit_price(50_000)]
    latest = cluster.rpc("getLatestBlockhash")["value"]["blockhash"]
    signed = instructions.signed([*offer, instructions.send_lamports(pubkey(buyer), shop, 1_000_000)], [buyer], latest)
    message = base64.b64encode(bytes(VersionedTransaction.from_bytes(bytes(signed)).message)).decode()
    before = cluster.balance(pubkey(buyer))
    cluster.send_raw(bytes(signed))

    assert cluster.rpc("getFeeForMessage", message)["value"] == 10_000
    assert cluster.balance(pubkey(buyer)) == before - 1_000_000 - 10_000


# --- history --------------------------------------------------------------------------


@pytest.fixture
def paid(cluster, buyer, shop):
    """Five payments, oldest first, the last two in one slot, all confirmed."""
    signatures = []
    for number in range(5):
        signatures.append(cluster.transfer(buyer, shop, 1_000_000 + number))
        if number != 3:
            cluster.tick()
    return signatures


def history(cluster, address, **config):
    return [each["signature"] for each in cluster.rpc("getSignaturesForAddress", address, CONFIRMED | config)]


def test_signatures_come_newest_first_and_in_pages(cluster, shop, paid):
    newest = paid[::-1]

    assert history(cluster, shop)[:5] == newest
    assert history(cluster, shop, limit=2) == newest[:2]
    assert history(cluster, shop, before=newest[1], limit=2) == newest[2:4]
    assert history(cluster, shop, until=newest[3]) == newest[:3]
    assert history(cluster, shop, before=newest[0], until=newest[4]) == newest[1:4]


def test_a_bound_may_be_any_transaction_and_one_that_is_unknown_bounds_nothing(cluster, shop, paid):
    elsewhere = cluster.airdrop(NOBODY, SOL)
    cluster.tick()
    unknown = base58.encode(b"\7" * 64)

    assert history(cluster, shop, before=elsewhere)[:5] == paid[::-1]
    assert history(cluster, shop, until=elsewhere) == []
    assert history(cluster, shop, until=unknown)[:5] == paid[::-1]
    assert history(cluster, shop, before=unknown) == []


def test_history_knows_the_commitment_and_forgets_what_a_fork_dropped(cluster, buyer, shop, paid):
    newer = cluster.transfer(buyer, shop, 2_000_000)

    assert newer not in history(cluster, shop)
    assert cluster.rpc("getTransaction", newer, CONFIRMED) is None
    assert cluster.rpc("getSignaturesForAddress", shop) == []
    cluster.rollback(2)
    assert history(cluster, shop)[:3] == paid[2::-1]
    assert cluster.rpc("getTransaction", paid[4], CONFIRMED) is None


def test_a_fork_leaves_its_slots_empty(cluster, buyer, shop):
    cluster.transfer(buyer, shop, 2_000_000)
    dropped = cluster.slot
    height = cluster.rpc("getBlockHeight", {"commitment": "processed"})
    cluster.tick()
    cluster.rollback(2)
    cluster.tick(2)

    with pytest.raises(ClusterError, match="was skipped") as refused:
        cluster.rpc("getBlock", dropped, CONFIRMED)
    assert refused.value.code == -32007
    assert dropped not in cluster.rpc("getBlocks", 0, None, CONFIRMED)
    after = cluster.rpc("getBlock", dropped + 2, CONFIRMED)
    assert (after["parentSlot"], after["blockHeight"]) == (dropped - 1, height)


def test_blocks_hold_their_transactions_in_every_detail(cluster, shop, paid):
    slot = cluster.rpc("getSignaturesForAddress", shop, CONFIRMED)[0]["slot"]

    def read(details):
        return cluster.rpc("getBlock", slot, CONFIRMED | {"transactionDetails": details, "maxSupportedTransactionVersion": 0})

    assert read("signatures")["signatures"] == paid[3:]
    assert [each["transaction"]["signatures"][0] for each in read("full")["transactions"]] == paid[3:]
    assert [each["transaction"]["accountKeys"][1]["pubkey"] for each in read("accounts")["transactions"]] == [shop, shop]
    assert "transactions" not in read("none")


def test_balances_of_tokens_are_told_before_and_after(cluster, buyer, shop):
    mint = cluster.create_mint(6)
    cluster.mint_to(mint, pubkey(buyer), 9_000_000)

    first = cluster.transfer_tokens(buyer, shop, mint, 2_000_000, create_account=True)
    last = cluster.transfer_tokens(buyer, shop, mint, 7_000_000)
    cluster.tick()

    def of(signature, when, owner):
        meta = cluster.rpc("getTransaction", signature, CONFIRMED)["meta"]
        return [each["uiTokenAmount"] for each in meta[f"{when}TokenBalances"] if (each["owner"], each["mint"]) == (owner, mint)]

    assert of(first, "pre", shop) == []
    assert of(first, "post", shop) == [{"amount": "2000000", "decimals": 6, "uiAmount": 2.0, "uiAmountString": "2"}]
    assert of(last, "post", pubkey(buyer)) == [{"amount": "0", "decimals": 6, "uiAmount": None, "uiAmountString": "0"}]
    inner = cluster.rpc("getTransaction", first, CONFIRMED | {"encoding": "jsonParsed"})["meta"]["innerInstructions"]
    assert [each["parsed"]["type"] for each in inner[0]["instructions"]] == [
        "getAccountDataSize",
        "createAccount",
        "initializeImmutableOwner",
        "initializeAccount3",
    ]


def test_a_recipient_that_only_a_lookup_table_names_is_found(cluster, buyer, shop):
    table = cluster.create_lookup_table([shop, NOBODY])
    sending = instructions.with_references(instructions.send_lamports(pubkey(buyer), shop, 2_000_000), [NOBODY])
    paid = cluster.send([sending], [buyer], tables={table: [shop, NOBODY]})
    cluster.tick()

    with pytest.raises(ClusterError, match="maxSupportedTransactionVersion") as refused:
        cluster.rpc("getTransaction", paid, CONFIRMED)
    assert refused.value.code == -32015
    found = cluster.rpc("getTransaction", paid, CONFIRMED | {"maxSupportedTransactionVersion": 0})
    keys = found["transaction"]["message"]["accountKeys"]
    assert shop not in keys
    assert found["meta"]["loadedAddresses"] == {"writable": [shop], "readonly": [NOBODY]}
    assert found["meta"]["postBalances"][len(keys)] == SOL + 2_000_000
    assert found["version"] == 0
    assert history(cluster, NOBODY) == [paid]
    said = cluster.rpc("getAccountInfo", table, {"encoding": "jsonParsed", "commitment": "processed"})["value"]["data"]["parsed"]
    assert (said["type"], said["info"]["addresses"]) == ("lookupTable", [shop, NOBODY])


def test_a_token_that_keeps_a_fee_delivers_less_than_was_sent(cluster, buyer, shop):
    mint = cluster.create_mint(2, fee_bps=100)
    cluster.mint_to(mint, pubkey(buyer), 10_000)

    cluster.transfer_tokens(buyer, shop, mint, 1_000, create_account=True)

    assert cluster.token_balance(cluster.token_account(shop, mint)) == 990


def test_time_of_blocks_can_be_set_ahead(cluster):
    before = cluster.rpc("getBlockTime", cluster.tick() - 1)

    after = cluster.forward(3600)

    assert after - before >= 3600


# --- WebSocket ------------------------------------------------------------------------


async def test_a_socket_answers_calls_and_pings_and_refuses_what_is_wrong(cluster):
    async with aiohttp.ClientSession() as session, session.ws_connect(cluster.ws_url) as socket:
        for message in ({"jsonrpc": "2.0", "method": "ping"}, call("getHealth"), call("accountSubscribe", "short"), call("nothingSubscribe")):
            await socket.send_json(message)
        answers = [await socket.receive_json(timeout=20) for _ in range(3)]

    assert [each.get("result", each.get("error", {}).get("code")) for each in answers] == ["ok", -32602, -32601]


async def test_an_account_that_a_fork_takes_back_is_told_as_it_was(cluster, buyer, shop):
    async with aiohttp.ClientSession() as session, session.ws_connect(cluster.ws_url) as socket:
        await socket.send_json(call("accountSubscribe", shop, {"commitment": "processed", "encoding": "base64"}))
        assert (await socket.receive_json(timeout=20))["result"]
        cluster.transfer(buyer, shop, 2_000_000)
        cluster.rollback(1)
        told = [await socket.receive_json(timeout=20) for _ in range(2)]

    assert [each["params"]["result"]["value"]["lamports"] - SOL for each in told] == [2_000_000, 0]


async def test_a_signature_is_told_when_it_comes_in_if_asked(cluster, buyer, shop):
    raw = cluster.build([instructions.send_lamports(pubkey(buyer), shop, 1_000_000)], [buyer])
    signature = base58.encode(raw[1:65])
    async with aiohttp.ClientSession() as session, session.ws_connect(cluster.ws_url) as socket:
        await socket.send_json(call("signatureSubscribe", signature, {"commitment": "confirmed", "enableReceivedNotification": True}))
        await socket.receive_json(timeout=20)
        cluster.send_raw(raw)
        cluster.tick()
        told = [(await socket.receive_json(timeout=20))["params"]["result"]["value"] for _ in range(2)]

    assert told == ["receivedSignature", {"err": None}]
