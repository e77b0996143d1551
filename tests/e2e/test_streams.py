"""The events feed as a stream, from a running server, on both databases."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from blackbox import SECONDS

from pepay_core.services.feeding import MAX_FOLLOWERS


class Stream:
    """An open stream, read as a browser reads it."""

    def __init__(self, response):
        self.response = response
        self.status = response.status

    def messages(self, count):
        """Return the next messages that are events, as (id, type, envelope)."""
        found, fields = [], {}
        while len(found) < count:
            line = self.response.readline().decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                found.append((fields["id"], fields["event"], json.loads(fields["data"])))
                fields = {}
            else:
                fields = {}
        return found

    def ends(self):
        """Tell whether the server ends it: nothing more comes, and the connection is closed."""
        while line := self.response.readline():
            assert not line.startswith(b"data"), line
        return True


@contextmanager
def listening(gateway, query="", key=None, **headers):
    parts = urlsplit(gateway.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=SECONDS)
    try:
        connection.request("GET", f"/api/v1/events/stream{query}", headers={"x-api-key": key or gateway.made["keys"]["test"], **headers})
        response = connection.getresponse()
        stream = Stream(response)
        if response.status == 200:
            assert response.headers["content-type"].startswith("text/event-stream")
            # Its first line says that it has begun: what happens from here on is in it.
            assert response.readline() == b"retry: 2000\n"
        yield stream
    finally:
        connection.close()


def known(gateway):
    """Return the newest event."""
    last, more = None, True
    while more:
        page = gateway.get(f"/api/v1/events?limit=100{f'&starting_after={last}' if last else ''}")
        last, more = (page["data"] or [{"id": last}])[-1]["id"], page["has_more"]
    return last


def test_an_event_comes_as_it_happens_and_says_what_its_webhook_says(world):
    with listening(world.gateway, "?types=invoice.created") as stream:
        invoice = world.gateway.invoice()
        ((identity, kind, envelope),) = stream.messages(1)
    assert kind == envelope["type"] == "invoice.created"
    assert envelope["data"]["object"]["id"] == invoice["id"]
    assert envelope == world.gateway.get(f"/api/v1/events/{identity}")


def test_whoever_comes_back_with_the_last_id_misses_nothing(world):
    last = known(world.gateway)
    made = [world.gateway.invoice()["id"] for _ in range(3)]
    for query, headers in (("", {"last-event-id": last}), (f"?starting_after={last}", {})):
        with listening(world.gateway, query, **headers) as stream:
            assert [envelope["data"]["object"]["id"] for _, _, envelope in stream.messages(3)] == made


def test_what_was_not_asked_for_is_passed_over_but_not_sent_again(world):
    with listening(world.gateway, "?types=invoice.canceled") as stream:
        invoice = world.gateway.invoice()
        world.gateway.post(f"/api/v1/invoices/{invoice['id']}/cancel", {}, status=200)
        ((_, kind, envelope),) = stream.messages(1)
    assert (kind, envelope["data"]["object"]["id"]) == ("invoice.canceled", invoice["id"])


def test_a_server_that_stops_lets_its_listeners_go_at_once_and_they_go_on_afterwards(world):
    with listening(world.gateway) as stream:
        first = world.gateway.invoice()["id"]
        ((last, _, envelope),) = stream.messages(1)
        assert envelope["data"]["object"]["id"] == first
        started = time.monotonic()
        world.gateway.stop()
        assert stream.ends()
    assert time.monotonic() - started < 8, "the server waited for its streams to end by themselves"
    world.gateway.start()
    second = world.gateway.invoice()["id"]
    with listening(world.gateway, **{"last-event-id": last}) as stream:
        assert second in [envelope["data"]["object"].get("id") for _, _, envelope in stream.messages(1)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?types=invoice.nonsense", "invalid_request"),
        ("?starting_after=evt_nobody", "invalid_request"),
        (f"?starting_after=evt_{'0' * 26}", "not_found"),
    ],
)
def test_what_cannot_be_followed_is_refused_before_anything_is_sent(world, query, code):
    answer = world.gateway.call("GET", f"/api/v1/events/stream{query}")
    assert answer.body["error"]["code"] == code


def test_a_key_must_be_allowed_to_read_events(world):
    key = world.gateway.post("/api/v1/api-keys", {"name": "invoices only", "scopes": ["invoices:read"]})["key"]
    assert world.gateway.call("GET", "/api/v1/events/stream", key=key).status == 403
    assert world.gateway.call("GET", "/api/v1/events/stream", key=None).status == 401


def test_one_key_holds_a_bounded_number_of_streams(world):
    key = world.gateway.post("/api/v1/api-keys", {"name": "greedy", "scopes": ["webhooks:read"]})["key"]
    opened = [listening(world.gateway, key=key) for _ in range(MAX_FOLLOWERS)]
    try:
        assert [each.__enter__().status for each in opened] == [200] * MAX_FOLLOWERS
        with listening(world.gateway, key=key) as stream:
            assert stream.status == 429
        with listening(world.gateway) as stream:
            assert stream.status == 200, "another key is no worse off"
    finally:
        for each in opened:
            each.__exit__(None, None, None)
