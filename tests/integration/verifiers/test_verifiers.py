"""The official verifiers of Standard Webhooks accept a thousand of our messages, in three languages, also while a secret is replaced.

The messages are sent by the notifier that sends webhooks, over HTTP, and taken as they arrive. Java's library is in no registry that
every machine reaches: where Maven cannot obtain it, PEPAY_TEST_STANDARDWEBHOOKS_JAVA names a jar, or a folder with its source.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import npm
import pytest
from requiring import lacking
from standardwebhooks import Webhook, WebhookVerificationError

from pepay_core.api import Delivery
from pepay_core.clock import SystemClock
from pepay_core.domain.ids import make_id
from pepay_core.http import AiohttpClient
from pepay_core.testing.receiver import Receiver
from pepay_webhook_hmac.notifier import WebhookNotifier

HERE = Path(__file__).parent
MESSAGES = 1000
SECONDS = 120
JAVA = "com.standardwebhooks:standardwebhooks:1.1.0"


@dataclass
class Message:
    """A webhook as it arrived, and a secret that must verify it."""

    secret: str
    headers: dict[str, str]
    body: bytes

    @property
    def line(self) -> str:
        return json.dumps({"secret": self.secret, "headers": self.headers, "body": base64.b64encode(self.body).decode()})


def bodies(chance: random.Random):
    """Yield envelopes with everything that a merchant's texts can hold."""
    texts = [
        "",
        "two books",
        "Grüße ☃",
        "日本語",
        "\U0001f4b8" * 20,
        '"quoted" \\ and / <b>',
        "line\nbreak\ttab",
        "a.b.c",
        "0" * 5000,
        "\u2028\u00a0\ufeff",
    ]
    while True:
        text = chance.choice(texts)
        obj = {
            "object": "invoice",
            "amount": f"{chance.randrange(10**6)}.{chance.randrange(100):02}",
            "description": text,
            "metadata": {text: [text]},
        }
        yield json.dumps({"type": "invoice.paid", "data": {"object": obj}}, ensure_ascii=chance.random() < 0.5).encode()


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    """A thousand messages of three hundred secrets; in a third of them the secret is being replaced, and either one verifies."""
    return asyncio.run(sent())


async def sent() -> list[Message]:
    chance, clock = random.Random(7), SystemClock()
    secrets = ["whsec_" + base64.b64encode(chance.randbytes(chance.randrange(24, 65))).decode() for _ in range(300)]
    found: list[Message] = []
    written = bodies(chance)
    async with Receiver() as receiver, AiohttpClient(allow_private=True) as http:
        notifier = WebhookNotifier(http, clock)
        for number in range(MESSAGES):
            chosen = chance.sample(secrets, 2 if number % 3 == 0 else 1)
            event = make_id("evt", int(datetime.now(UTC).timestamp() * 1000), chance.getrandbits(80))
            body = next(written)
            delivery = Delivery("dlv_1", event, "invoice.paid", False, receiver.url, body, 1, clock.now(), tuple(chosen))
            await notifier.deliver(delivery)
            arrived = receiver.requests[-1]
            assert arrived.body == body
            headers = {name.lower(): value for name, value in arrived.headers.items() if name.lower().startswith("webhook-")}
            found.append(Message(chance.choice(chosen), headers, arrived.body))
    assert sum(" " in each.headers["webhook-signature"] for each in found) == MESSAGES // 3 + 1
    return found


def test_python_accepts_them_all_and_none_that_was_changed(messages):
    for each in messages:
        webhook = Webhook(each.secret)
        webhook.verify(each.body, each.headers)
        with pytest.raises(WebhookVerificationError):
            webhook.verify(each.body + b" ", each.headers)


def test_javascript_accepts_them_all_and_none_that_was_changed(messages, tmp_path):
    node = shutil.which("node")
    if node is None:
        lacking("node", "there is no Node here to run the JavaScript library with")
    modules = npm.modules(HERE / "javascript", "node")
    (tmp_path / "node_modules").symlink_to(modules)
    shutil.copy(HERE / "javascript" / "verify.mjs", tmp_path)
    said = _run([node, "verify.mjs"], tmp_path, "\n".join(each.line for each in messages))
    assert json.loads(said) == {"accepted": MESSAGES, "refused": MESSAGES}


def test_java_accepts_them_all_and_none_that_was_changed(messages, tmp_path):
    library = _java_library(tmp_path)
    sources = [str(path) for path in library.rglob("*.java")] if library.is_dir() else []
    _run(["javac", "-d", str(tmp_path), *(["-cp", str(library)] if not sources else []), *sources, str(HERE / "java" / "Verify.java")], tmp_path)
    lines = [
        line
        for each in messages
        for line in (
            each.secret,
            *(each.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")),
            base64.b64encode(each.body).decode(),
        )
    ]
    path = os.pathsep.join(map(str, [tmp_path, *([] if sources else [library])]))
    said = _run(["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", path, "Verify"], tmp_path, "\n".join(lines))
    assert json.loads(said) == {"accepted": MESSAGES, "refused": MESSAGES}


def _java_library(folder: Path) -> Path:
    if not shutil.which("javac"):
        lacking("java", "there is no Java compiler here to run the Java library with")
    given = os.environ.get("PEPAY_TEST_STANDARDWEBHOOKS_JAVA")
    if given:
        return Path(given)
    maven = shutil.which("mvn")
    if maven is None:
        lacking("java", "there is no Maven here to obtain the Java library with")
    command = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={JAVA}", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        lacking("java", "Maven could not obtain the Java library in time")
    jars = list(folder.glob("*.jar"))
    if done.returncode or not jars:
        lacking("java", f"Maven could not obtain the Java library {JAVA}: name its jar or source in PEPAY_TEST_STANDARDWEBHOOKS_JAVA")
    return jars[0]


def _run(command: list[str], folder: Path, given: str = "") -> str:
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
