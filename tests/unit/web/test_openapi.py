from __future__ import annotations

import json
import re

import msgspec
import pytest

from pepay_core.domain.merchants import KEY_SCOPES, SCOPES
from pepay_core.web.access import MARKERS, is_scope
from pepay_core.web.api.api_keys import Scope
from pepay_core.web.app import OPERATIONS
from pepay_core.web.openapi import build
from pepay_core.web.problems import kinds


@pytest.fixture(scope="module")
def document():
    return build(OPERATIONS, "https://pay.example.com")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_every_operation_says_who_may(operation):
    assert is_scope(operation.access) or operation.access in MARKERS
    if is_scope(operation.access):
        assert operation.access in SCOPES
        assert operation.method == "GET" or operation.access.endswith(":write")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_every_operation_has_a_sentence_and_a_name(operation):
    assert operation.summary
    assert re.fullmatch("[a-z_]+", operation.name)


STREAMS = {("/api/v1/events/stream", "get"), ("/api/v1/checkout/{invoice}/stream", "get")}


def test_names_and_addresses_are_unique():
    assert len({each.name for each in OPERATIONS}) == len(OPERATIONS)
    assert len({(each.method, each.path) for each in OPERATIONS}) == len(OPERATIONS)


def test_every_reference_in_the_document_leads_somewhere(document):
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])


def test_every_refusal_that_is_documented_is_a_problem_document(document):
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            for status, response in described["responses"].items():
                good = "text/event-stream" if (path, method) in STREAMS else "application/json"
                assert set(response["content"]) == {good if status.startswith("2") else "application/problem+json"}, (path, method, status)


def test_bodies_refuse_what_they_do_not_name(document):
    bodies = [each.body for each in OPERATIONS if each.body]
    for body in bodies:
        assert document["components"]["schemas"][body.__name__]["additionalProperties"] is False


def test_no_answer_has_a_number_that_could_be_money(document):
    schemas = document["components"]["schemas"]
    waiting = [*{each.gives.__name__ for each in OPERATIONS}]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            written = json.dumps(schemas[name])
            assert '"type": "number"' not in written, name
            waiting += re.findall(r"#/components/schemas/(\w+)", written)
    assert "Quote" in seen


def test_the_scopes_that_a_key_may_be_given_are_those_there_are():
    assert tuple(Scope.__args__) == KEY_SCOPES


def test_every_error_has_a_meaning():
    assert len(kinds()) > 30
    assert all(each.meaning for each in kinds().values())


def test_the_document_is_json(document):
    assert msgspec.json.decode(msgspec.json.encode(document))["openapi"] == "3.1.0"
