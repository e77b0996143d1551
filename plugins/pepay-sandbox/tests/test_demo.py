"""`pepay demo`, from the shell to the last webhook: the real server, the real driver, nothing configured."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

PEPAY = shutil.which("pepay", path=str(Path(sys.executable).parent))
SECONDS = 120

pytestmark = pytest.mark.slow


@pytest.fixture
def demo(tmp_path):
    """Start `pepay demo` with arguments; its temporary files are below tmp_path/tmp."""
    (tmp_path / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PEPAY_") or name == "PEPAY_ANVIL"}
    environment |= {"TMPDIR": str(tmp_path / "tmp")}

    @contextmanager
    def start(*arguments):
        command = [PEPAY, "demo", "--port", "0", *arguments]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.terminate()  # gently, or what it started would stay
                    process.communicate(timeout=SECONDS)

    return start


def ask(url, body=None, *, form=None, key=None):
    data = json.dumps(body).encode() if body is not None else urlencode(form).encode() if form is not None else None
    headers = {"x-api-key": key} if key else {}
    if body is not None:
        headers["content-type"] = "application/json"
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as answer:
        text = answer.read().decode()
    return json.loads(text) if "json" in answer.headers["content-type"] else text


def until(question, wanted, *, seconds=60):
    deadline = time.monotonic() + seconds
    while (answer := question()) != wanted:
        assert time.monotonic() < deadline, f"still {answer!r} and not {wanted!r}"
        time.sleep(0.1)


def listening(url):
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def test_one_purchase_goes_from_unpaid_to_paid_and_each_event_arrives_once(demo, node, tmp_path):
    with demo("--pay", "--json", "--node", node) as process:
        output, errors = process.communicate(timeout=SECONDS)

    assert (process.returncode, errors) == (0, "")
    told = json.loads(output)
    statuses = [step["what"].rpartition(" ")[2] for step in told["steps"] if step["source"] == "api"]
    webhooks = sorted(step["what"] for step in told["steps"] if step["source"] == "webhook" and step["detail"] == "both signatures valid")
    assert told["paid"] is True
    assert list(dict.fromkeys(statuses)) == ["unpaid", "processing", "paid"]
    assert {"invoice.created", "invoice.processing", "payment.detected", "invoice.paid"} <= set(webhooks)
    assert len(webhooks) == len(set(webhooks)) == sum(step["source"] == "webhook" for step in told["steps"])
    assert all(step["seconds"] >= 0 for step in told["steps"])
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(not entry_points(group="pepay.plugins", name="solana"), reason="pepay-solana is not installed")
@pytest.mark.parametrize(("coin", "symbol"), [("solana-usdc", "USDC"), ("sol", "SOL")])
def test_a_purchase_on_solana_goes_from_unpaid_to_paid(demo, tmp_path, coin, symbol):
    with demo("--pay", "--json", "--node", "py-evm", "--with", coin) as process:
        output, errors = process.communicate(timeout=SECONDS)

    assert (process.returncode, errors) == (0, "")
    told = json.loads(output)
    webhooks = [step["what"] for step in told["steps"] if step["source"] == "webhook" and step["detail"] == "both signatures valid"]
    [sent] = [step["what"] for step in told["steps"] if step["source"] == "wallet"]
    assert told["paid"] is True
    assert sent.endswith(symbol)
    assert {"invoice.created", "invoice.processing", "payment.detected", "invoice.paid"} <= set(webhooks)
    assert len(webhooks) == len(set(webhooks))
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(not entry_points(group="pepay.plugins", name="solana"), reason="pepay-solana is not installed")
def test_the_shop_offers_both_chains_and_the_button_pays_on_solana_too(demo):
    with demo("--json", "--node", "py-evm") as process:
        ready = json.loads(process.stdout.readline())
        shop, key = ready["shop"], ready["key"]
        [usdc] = ready["solana"]["tokens"]
        front = ask(shop)
        assert usdc["asset"] in front
        assert ready["solana"]["chain"]["id"] + "/slip44:501" in front

        made = ask(f"{ready['api']}/invoices", {"amount_usd": "10.00", "pay_with": usdc["asset"]}, key=key)
        invoice = f"{ready['api']}/invoices/{made['id']}"
        ask(f"{shop}demo/pay/{made['id']}", form={"amount": "under"})
        until(lambda: ask(invoice, key=key)["status"], "underpaid")
        ask(f"{shop}demo/pay/{made['id']}", form={"amount": "full"})
        until(lambda: ask(invoice, key=key)["status"], "paid")
        assert [each["amount"] for each in ask(invoice, key=key)["payments"]] == ["6.00", "4.00"]


def test_an_invoice_from_outside_is_paid_by_the_button_and_everything_ends_with_the_demo(demo, tmp_path):
    with demo("--json", "--node", "py-evm") as process:
        ready = json.loads(process.stdout.readline())
        shop, key, [usdc] = ready["shop"], ready["key"], ready["tokens"]
        assert "Ethiopia Guji" in ask(shop)

        made = ask(f"{ready['api']}/invoices", {"amount_usd": "10.00", "pay_with": usdc["asset"]}, key=key)
        invoice = f"{ready['api']}/invoices/{made['id']}"
        assert (made["status"], made["livemode"]) == ("unpaid", False)
        ask(f"{shop}demo/pay/{made['id']}", form={"amount": "under"})
        until(lambda: ask(invoice, key=key)["status"], "underpaid")
        ask(f"{shop}demo/pay/{made['id']}", form={"amount": "full"})
        until(lambda: ask(invoice, key=key)["status"], "paid")
        until(lambda: "<strong>Paid.</strong>" in ask(f"{shop}orders/{made['id']}"), True)
        assert [each["amount"] for each in ask(invoice, key=key)["payments"]] == ["6.00", "4.00"]

        urls = [shop, ready["api"], ready["chain"]["rpc"]]
        assert all(listening(url) for url in urls)
        assert {urlsplit(url).hostname for url in urls} == {"127.0.0.1"}
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS)

    assert (process.returncode, errors) == (0, "")
    assert not any(listening(url) for url in urls)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_demo_whose_server_dies_says_so_and_ends(demo, tmp_path):
    with demo("--json", "--node", "py-evm") as process:
        ready = json.loads(process.stdout.readline())
        [server] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(server), signal.SIGKILL)
        _, errors = process.communicate(timeout=SECONDS)

    assert process.returncode == 1
    assert "the server stopped by itself" in errors
    assert "Traceback" not in errors
    assert not listening(ready["shop"])
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_is_kept_where_one_is_named_and_not_used_twice(demo, tmp_path):
    with demo("--pay", "--json", "--node", "py-evm", "--dir", "kept") as process:
        process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert {"pepay.toml", "pepay.db", "server.log"} <= {each.name for each in (tmp_path / "kept").iterdir()}

    with demo("--pay", "--dir", "kept") as process:
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 78
    assert "not overwritten" in errors


def test_the_terminal_is_told_links_the_key_a_command_line_and_how_to_stop(demo):
    with demo("--node", "py-evm") as process:
        lines = []
        while not any("Ctrl-C" in line for line in lines):
            lines.append(process.stdout.readline())
            assert process.poll() is None
        process.terminate()
        _, errors = process.communicate(timeout=SECONDS)
    said = "".join(lines)

    assert (process.returncode, errors) == (0, "")
    assert "pepay_test_" in said
    assert "pepay_live_" not in said
    command = said[said.index("curl") : said.index("}'") + 2]
    assert "/api/v1/invoices" in command
    assert '"pay_with": "eip155:31337/erc20:0x' in command
