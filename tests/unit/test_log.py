import asyncio
import io
import json
import logging

import pytest

from pepay_core.log import bound, configure, redact

XPUB = "xpub6CUGRUonZSQ4TWtTMmzXdrXDtypWKiKrhko4egpiMZbpiaQL2jkwSB1icqYh2cfDfVxdx4df189oLKnC5fSwqPfgyP3hooxujYzAu3fDVmz"


@pytest.fixture
def logged():
    """Configure logging into memory, and put back what was there."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    try:
        yield lambda **options: (configure(stream=stream, **options), stream)[1]
    finally:
        root.handlers[:] = before
        root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key pepay_live_k3y1d_S3cr3t-part_x refused", "S3cr3t-part_x"),
        ("pepay_test_01jd_abcdef", "abcdef"),
        ("secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("GET /pay/inv_1?token=b64-url_SECRET&x=1", "b64-url_SECRET"),
        ("GET /x?client_token=SECRET", "SECRET"),
        (f"wallet {XPUB} added", XPUB[10:]),
        (f"wallet z{XPUB[1:]} added", XPUB[10:]),
        ("postgres://pepay:hunter2@db/pepay", "hunter2"),
        ("postgres://pepay:hun@ter2@db/pepay", "hun@ter2"),
        ("https://:hunter2@node.example/", "hunter2"),
        ("https://eth.example/v2/aBcDeF0123456789aBcDeF0123456789", "aBcDeF0123456789"),
        ("wss://eth.example/0123456789abcdef0123456789abcdef01234567/", "0123456789abcdef"),
        ("POST https://eth.example/v3/0123456789abcdef0123456789abcdef failed: 429", "0123456789abcdef"),
        ("https://api.example/rates?x_cg_pro_api_key=CG-hunter2", "hunter2"),
        ("https://api.example/rates?apikey=hunter2&ids=eth", "hunter2"),
        ("{'x-api-key': 'hunter2', 'a': 1}", "hunter2"),
        ('{"password": "hunter2"}', "hunter2"),
        ("Authorization: Bearer hunter2.abc-def", "hunter2"),
        ("{'authorization': 'Bearer hunter2'}", "hunter2"),
    ],
)
def test_a_secret_is_taken_out_of_what_is_logged(text, secret):
    assert secret not in redact(text)
    assert "[hidden]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "invoice inv_01jd8k3x0000000000000000ab is paid",
        "GET http://localhost:8000/pay/inv_01jd8k3x0000000000000000ab",
        "https://etherscan.io/tx/0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
        "https://api.coinbase.com/v2/exchange-rates?currency=ETH",
        "http://127.0.0.1:8545 answers",
        "write to help@example.com",
        "",
    ],
)
def test_what_is_no_secret_stays_readable(text):
    assert redact(text) == text


def test_the_id_of_an_api_key_stays_so_that_it_can_be_revoked():
    assert redact("pepay_live_k3y1d_S3cr3t") == "pepay_live_k3y1d_[hidden]"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_secret_in_a_message_an_argument_or_a_traceback_is_not_written(as_json, logged):
    stream = logged(as_json=as_json)
    log = logging.getLogger("pepay.test")

    log.info("connecting to %s", "postgres://pepay:hunter2@db/pepay")
    try:
        int("token=hunter2")
    except ValueError:
        log.exception("failed with %r", {"api_key": "hunter2"})

    assert "hunter2" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_a_line_says_when_how_bad_who_and_what(logged):
    stream = logged()
    logging.getLogger("pepay.watching").warning("chain %s is slow", "eip155:1")

    line = stream.getvalue()
    assert line.endswith("Z warning  pepay.watching: chain eip155:1 is slow\n")
    assert line.startswith("20")


async def test_lines_carry_the_ids_of_their_own_request_and_invoice(logged):
    stream = logged(as_json=True)
    log = logging.getLogger("pepay.test")

    async def handle(request, invoice):
        with bound(request=request):
            await asyncio.sleep(0)
            with bound(invoice=invoice):
                log.info("inside")

    async with asyncio.TaskGroup() as group:
        group.create_task(handle("req_1", "inv_1"))
        group.create_task(handle("req_2", "inv_2"))
    log.info("outside")

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert sorted((line.get("request_id"), line.get("invoice_id")) for line in lines[:2]) == [("req_1", "inv_1"), ("req_2", "inv_2")]
    assert "request_id" not in lines[2]


def test_a_line_break_in_a_message_cannot_pass_for_a_line_of_ours(logged):
    stream = logged()
    logging.getLogger("pepay.test").info("GET /%s", "x\n2026-01-01T00:00:00Z info     pepay: paid\r")

    lines = stream.getvalue().splitlines()
    assert lines[1].startswith("    ")
    assert len(lines) == 2


def test_json_is_one_object_per_line_whatever_is_in_it(logged):
    stream = logged(as_json=True)
    logging.getLogger("pepay.test").error('"quoted"\nand broken', stack_info=True)

    [line] = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "pepay.test", '"quoted"\nand broken')
    assert "Stack (most recent call last)" in entry["exception"]


def test_configuring_again_replaces_what_was_configured(logged):
    logged()
    stream = logged(level="warning")
    logging.getLogger("pepay.test").info("quiet")
    logging.getLogger("pepay.test").warning("loud")

    assert stream.getvalue().count("loud") == 1
    assert "quiet" not in stream.getvalue()
