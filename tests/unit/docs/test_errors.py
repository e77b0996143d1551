"""Every error code is documented with its status or exit code, and no other."""

from __future__ import annotations

import json

from documentation import code, page

from pepay_core.domain import errors
from pepay_core.domain.errors import ConfigError, InvalidAmount, NotReady, PePayError
from pepay_core.domain.money import parse_amount
from pepay_core.web.problems import INTERNAL, problem_of, title

ERRORS = page("reference/errors.md")


def tree(cls):
    yield cls
    for each in cls.__subclasses__():
        yield from tree(each)


def ours(cls):
    """Return the errors of the core below a class; plugins' and tests' own are not the page's to tell."""
    return [each for each in tree(cls) if each.__module__.startswith("pepay_core.")]


def codes(section):
    return {code(row[0]): row[1] for row in ERRORS.rows(section)}


def answers():
    """Return what the API can answer: code and status, as the one map from exceptions gives it."""
    found = {INTERNAL.code: INTERNAL.status, NotReady.code: problem_of(NotReady()).status}
    for cls in (*ours(errors.Refused), *ours(errors.Unavailable)):
        found.setdefault(cls.code, cls.status)
    return {name: str(status) for name, status in found.items()}


def difference(documented, real):
    return (
        f"docs/reference/errors.md: document {sorted(set(real) - set(documented))}, drop {sorted(set(documented) - set(real))}, "
        f"correct {sorted(name for name in set(real) & set(documented) if real[name] != documented[name])}"
    )


def test_every_error_that_the_api_answers_is_documented_with_its_status():
    documented = codes("What the API answers")

    assert documented == answers(), difference(documented, answers())


def test_every_error_of_the_configuration_is_documented():
    documented = codes("What stops the command line")
    real = dict.fromkeys((each.code for each in ours(ConfigError)), "78")

    assert documented == real, difference(documented, real)


def test_every_error_there_is_stands_in_one_of_the_tables():
    everywhere = [code(row[0]) for row in ERRORS.rows()]
    real = {each.code for each in ours(PePayError)} | {INTERNAL.code}

    assert set(everywhere) == real, difference(dict.fromkeys(everywhere), dict.fromkeys(real))
    assert len(everywhere) == len(set(everywhere))


def test_every_error_says_what_to_do():
    assert all(len(row) == 4 and all(row) for row in [*ERRORS.rows("What the API answers"), *ERRORS.rows("What stops the command line")])


def test_the_problem_document_that_is_shown_is_the_one_that_is_sent():
    (shown,) = ERRORS.blocks("json")
    expected = json.loads(shown.code)

    try:
        parse_amount("49.999", decimals=2, field="amount_usd")
    except InvalidAmount as exc:
        sent = problem_of(exc).document("https://pay.example.com", expected["request_id"])

    assert sent == expected
    assert list(sent) == list(expected)
    assert title("invalid_amount") == expected["title"]
