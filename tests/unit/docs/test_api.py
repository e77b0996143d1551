"""Every address of the API is on its map, with the scope that it needs, and what is said of all of them is so."""

from __future__ import annotations

import re

import pytest
from documentation import PAGES, code, page

from pepay_core.domain import ids
from pepay_core.domain.merchants import SCOPES
from pepay_core.services.idempotency import check_key
from pepay_core.settings import Settings
from pepay_core.web import contact, health
from pepay_core.web.access import ADMIN, ANYBODY, BUYER, DOOR, ENTERING, USER
from pepay_core.web.app import OPERATIONS, create_app
from pepay_core.web.asgi.bounding import MAX_BODY
from pepay_core.web.decoding import decode_body
from pepay_core.web.limiting import Standing
from pepay_core.web.openapi import build
from pepay_core.web.schemas import Paging

API = page("reference/api.md")
DOCUMENT = build(OPERATIONS, "http://localhost:8000")
DESCRIBED = {f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods}
MAP = {code(row[0]): row[1] for row in API.rows() if len(row) == 3}

WORDS = {ANYBODY: "nothing", DOOR: "anybody", BUYER: "client token", ENTERING: "a session", USER: "a user", ADMIN: "platform admin"}


def addresses_of(handlers):
    return {f"{method} {path}" for each in handlers for method in each.http_methods if method != "HEAD" for path in each.paths}


def test_every_operation_is_on_the_map_and_no_other():
    real = DESCRIBED | addresses_of([*health.HANDLERS, *contact.HANDLERS])
    missing, stale = sorted(real - set(MAP)), sorted(set(MAP) - real)

    assert not missing, f"docs/reference/api.md: document {missing}"
    assert not stale, f"docs/reference/api.md: {stale} is no operation any more"


@pytest.mark.parametrize("each", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_the_scope_of_an_operation_is_the_one_that_it_needs(each):
    needs = WORDS.get(each.access, f"`{each.access}`")

    assert MAP[f"{each.method} {each.path}"] == needs


def test_every_scope_opens_something_or_includes_what_does():
    used = {code(each) for each in MAP.values() if code(each)}

    assert used <= set(SCOPES)


def test_the_prefixes_of_ids_are_the_real_ones():
    said = re.findall(r"`([a-z]{3})_`", API.text)

    assert set(said) == {ids.INVOICE, ids.PAYMENT, ids.EVENT, ids.ENDPOINT, ids.DELIVERY, ids.KEY, ids.MERCHANT, ids.WALLET, ids.REFUND}


def test_the_limits_that_are_said_to_hold_everywhere_do():
    assert MAX_BODY == 64 * 1024
    assert "at most 64 KiB" in API.text
    assert Paging().limit == 10
    assert "`limit` is 1 to 100, and 10 if you do not say" in API.text
    check_key("x" * 255)
    standing = Standing("writes", 100, 99, 0, 57)
    assert all(f"`{name}: {value}`" in API.text for name, value in standing.headers.items())


def test_the_pages_exist():
    routed = {spelled(re.sub(r":\w+", "", route.path)) for route in create_app(Settings()).routes}
    documented = {spelled(code(row[0]).partition("?")[0]) for row in API.rows("Pages")}

    assert len(documented) == 17
    assert documented <= routed


def requests():
    """Yield every request that a page shows with a body, as its path and the body."""
    for each in PAGES:
        shell = "".join(block.code for block in each.blocks("sh")).replace("\\\n", " ")
        for path, body in re.findall(r"^curl [^\n]*?(/api/v1/[^\s\"]+)[^\n]*? -d '(\{.*?\})'$", shell, re.DOTALL | re.MULTILINE):
            yield pytest.param(spelled(path), body, id=f"{each.name}: {path}")


def spelled(path):
    """Return a path with ids and variables in one spelling, as no page means another one by them."""
    return re.sub(r"\$\{?\w+\}?|\{\w+\}|\binv_\w*…?", "{}", path.rstrip("/.,"))


@pytest.mark.parametrize(("path", "body"), list(requests()))
def test_a_body_that_is_shown_is_one_that_the_address_takes(path, body):
    (taken,) = [each.body for each in OPERATIONS if each.method in {"POST", "PATCH"} and spelled(each.path) == path]

    assert decode_body(body.encode(), "application/json", taken)


def mentioned():
    """Yield every address that a page names, in a block of shell or in its prose."""
    for each in PAGES:
        shell = "\n".join(block.code for block in each.blocks("sh"))
        for path in re.findall(r"(/(?:api/v1|health)/[^\s\"'`?\\)|]*)", shell + each.prose):
            yield each.name, spelled(path)


def test_no_page_names_an_address_that_does_not_exist():
    known = {spelled(each.partition(" ")[2]) for each in MAP}

    unknown = sorted({f"{name}: {path}" for name, path in mentioned() if path not in known})

    assert not unknown
