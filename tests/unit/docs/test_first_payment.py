"""The tutorial, typed as it stands: a node, a configuration, a wallet, a shop, an invoice, and money that arrives."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from blackbox import Market, until
from documentation import page

PAGE = page("tutorials/first-payment.md")
SECONDS = 120

# In a terminal of their own until the reader stops them, and what tells that they are ready.
IN_BACKGROUND = {
    "uv run pepay sandbox evm": "test -s chain.json",
    "uv run pepay serve": "curl -sf localhost:8000/health/ready >> ready.log",
    "python3 shop.py": "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 9000))' 2>> ready.log",
}
AVAILABLE = """curl -sf localhost:8000/api/v1/tokens -H "x-api-key: $KEY" | grep -q '"available":true'"""


def script():
    """Return what a reader types after the demo, with the waiting that a reader does by looking."""
    lines = ["set -eu", 'until_ready() { for _ in $(seq 600); do if eval "$1"; then return; fi; sleep 0.1; done; echo "never: $1"; exit 1; }']
    typed = PAGE.text.partition("## 2.")[2]
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", typed, re.DOTALL | re.MULTILINE):
        if language == "python":
            lines.append(f"cat > {code.split()[1]} <<'SOURCE'\n{code}SOURCE")
        if language != "sh":
            continue
        known = next((ready for command, ready in IN_BACKGROUND.items() if code.startswith(command)), None)
        if known is None:
            lines.append(code)
        else:
            lines.append(f"{{ {code.strip().removesuffix('&')}; }} >> output.log 2>&1 &\nuntil_ready {shell_quoted(known)}")
        if "/tokens" in code:
            lines.append(f"until_ready {shell_quoted(AVAILABLE)}")
    return "\n".join(lines)


def shell_quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def free_port(stack):
    taken = stack.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))
    return str(taken.getsockname()[1])


@pytest.fixture
def market():
    market = Market()
    yield market
    market.close()


@pytest.fixture
def environ(tmp_path, market):
    """What is around the reader: `uv run`, and the internet with its prices."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    (tools / "python3").symlink_to(sys.executable)
    (tools / "uv").chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PEPAY_") or key == "PEPAY_ANVIL"}
    sources = {f"PEPAY_{name.upper()}__BASE_URL": f"{market.url}/{name}" for name in ("coingecko", "coinbase", "kraken")}
    return {**kept, **sources, "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}


@pytest.mark.slow
def test_whoever_types_the_tutorial_is_paid_and_told(tmp_path, environ):
    text = script()
    with ExitStack() as stack:
        for port in ("8545", "8000", "9000"):
            chosen = free_port(stack)
            text = text.replace(port, chosen)
            if port == "8000":
                environ["PEPAY_SERVER__PORT"] = chosen
    output = tmp_path / "my-shop" / "output.log"

    with (tmp_path / "typed.log").open("w+") as log:
        reader = subprocess.Popen(["bash", "-c", text], cwd=tmp_path, env=environ, stdout=log, stderr=log, start_new_session=True)
        try:
            assert reader.wait(SECONDS) == 0, (tmp_path / "typed.log").read_text()
            until(lambda: "deliver " in output.read_text(), "the shop to deliver")
        finally:
            # The group is this reader's alone: node, server and shop.
            os.killpg(reader.pid, signal.SIGKILL)
            reader.wait()

    printed = [line for line in output.read_text().splitlines() if line.startswith(("invoice.", "deliver "))]
    # Webhooks may overtake each other, as the reference says.
    assert sorted(printed) == sorted(PAGE.blocks("text")[-1].code.splitlines())
    assert '"first_address":"0x8C8d35429F74ec245F8Ef2f4Fd1e551cFF97d650"' in (tmp_path / "typed.log").read_text()
