"""There is one way out to addresses that others name, and mail has its own: nothing else can connect to anything."""

import ast

import pytest
from source import files, imports, module_name, plugin_sources, tree, within

# What opens connections, by whatever protocol.
CLIENTS = (
    "aiohttp",
    "aiosmtplib",
    "ftplib",
    "grpc",
    "http.client",
    "httpcore",
    "httpx",
    "imaplib",
    "niquests",
    "paramiko",
    "poplib",
    "pycurl",
    "requests",
    "smtplib",
    "socket",
    "telnetlib",
    "tornado",
    "twisted",
    "urllib.request",
    "urllib3",
    "web3",
    "websocket",
    "websockets",
    "xmlrpc",
)
CONNECTING = {"open_connection", "create_connection", "open_unix_connection", "sock_connect", "create_datagram_endpoint", "urlopen", "connect_ex"}

# Where each may be, and what for. Longest match first; everything that is not named here has none.
MAY = {
    "pepay_core.http": {"aiohttp", "socket"},
    # Names of this machine, and sockets that are listened at.
    "pepay_core.runtime": {"socket"},
    "pepay_core.web.serving": {"socket"},
    "pepay_core.cli.serve": {"socket"},
    # The kit asks nodes that it has started itself, on this machine.
    "pepay_core.testing": {"http.client", "urllib.request", "socket"},
    "pepay_email": {"aiosmtplib"},
    # A local chain and a shop to try things out, which are servers.
    "pepay_sandbox": {"aiohttp", "http.client", "socket"},
}

SOURCES = [*files("pepay_core"), *plugin_sources()]


def named(path):
    return module_name(path) if "pepay_core" in path.parts else ".".join(path.with_suffix("").parts[path.parts.index("src") + 1 :])


def allowed_in(module):
    matching = [each for each in MAY if within(module, each)]
    return MAY[max(matching, key=len)] if matching else set()


def clients_of(path):
    for imported, line, _ in imports(path):
        for client in CLIENTS:
            if within(imported, client):
                yield client, line


def connecting_calls(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if name in CONNECTING:
                yield name, node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_but_the_one_client_can_connect(path):
    allowed = allowed_in(named(path))
    found = [f"{path.name}:{line} imports {client}" for client, line in clients_of(path) if client not in allowed]
    if not allowed:
        found += [f"{path.name}:{line} calls {name}" for name, line in connecting_calls(path)]

    assert not found


def test_what_users_name_is_reached_by_calls_that_check_it():
    """The session without the checks is opened in one place, for what the operator named."""
    (path,) = [path for path in SOURCES if named(path) == "pepay_core.http"]
    opened = [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "ClientSession"]
    trusting = [
        keyword
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in {"trust_env", "allow_redirects"} and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    ]

    assert len(opened) == 1
    assert not trusting


@pytest.mark.parametrize(
    "source",
    [
        "import httpx",
        "def f():\n    from urllib.request import urlopen",
        "import_module('requests')",
        "from http import client",
        "import smtplib as s",
    ],
)
def test_a_client_is_seen_however_it_is_imported(tmp_path, source):
    path = tmp_path / "probe.py"
    path.write_text(source)

    assert list(clients_of(path))
