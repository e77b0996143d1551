"""Twelve languages, each of them whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pepay_core.web.checkout.languages import FOLDER, LANGUAGES, choose, language
from pepay_core.web.templating import STATIC

ENGLISH = language("en").sentences
TEMPLATES = STATIC.parent / "templates"
OTHERS = [each for each in LANGUAGES if each != "en"]
# Words that are the same in some languages, and signs.
SAME = {"equals", "about", "progress.of", "transaction", "code.label", "receipt.total", "total", "network", "order", "invoice", "powered"}
ON_ITS_OWN = re.compile(r"\{(\w+)\}")


def named(text: str) -> set[str]:
    return set(ON_ITS_OWN.findall(text))


def test_there_are_twelve_with_one_that_is_read_from_right_to_left():
    assert len(LANGUAGES) == 12
    assert {path.stem for path in FOLDER.glob("*.json")} == set(LANGUAGES)
    assert [each for each in LANGUAGES if language(each).direction == "rtl"] == ["ar"]


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_is_translated_with_everything_that_is_put_in(code):
    theirs = language(code).sentences
    assert set(theirs) == set(ENGLISH)
    for key, text in ENGLISH.items():
        assert named(theirs[key]) == named(text), key
        assert theirs[key].strip() == theirs[key], key
        assert theirs[key], key
    assert {key for key, text in ENGLISH.items() if theirs[key] == text and len(text) > 12} <= SAME


def test_every_sentence_is_used_and_every_one_that_is_used_exists(samples, example):
    _, invoice = example
    for code in LANGUAGES:
        # A sentence that is missing, or that lacks a value, is an error.
        assert f'lang="{code}"' in samples.page(lang=code, **invoice)
    text = "\n".join(path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html"))
    text += "\n".join(path.read_text(encoding="utf-8") for path in Path(language.__wrapped__.__code__.co_filename).parent.glob("*.py"))
    used = {key for key in ENGLISH if f'"{key}"' in text or f"'{key}'" in text}
    made = {key for key in ENGLISH if key.startswith(("state.", "wallet.", "code.", "copy.", "help."))}
    assert set(ENGLISH) == used | made


@pytest.mark.parametrize(
    ("asked", "accepted", "offered", "found"),
    [
        (None, "", (), "en"),
        (None, "fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", (), "fr"),
        (None, "xx, nl;q=0.1, pt-BR;q=0.3", (), "pt"),
        ("ar", "fr", (), "ar"),
        ("xx", "fr", (), "fr"),
        (None, "fr", ("de", "en"), "de"),
        (None, "en;q=0, de;q=0.2", ("es", "en"), "es"),
        ("fr", "en", ("de", "en"), "en"),
        (None, "q=;;,,,=" * 400, (), "en"),
    ],
)
def test_the_language_is_the_one_asked_for_else_the_browsers_else_the_merchants(asked, accepted, offered, found):
    assert choose(asked, accepted, offered).code == found


@pytest.mark.parametrize(
    ("code", "price", "other", "moment"),
    [
        ("en", "$1,249.90", "0.5 USDC", "Nov 1, 2026, 12:00 UTC"),
        ("de", "1.249,90 $", "0,5 USDC", "1. Nov. 2026, 12:00 UTC"),
        ("ja", "$1,249.90", "0.5 USDC", "2026年11月1日, 12:00 UTC"),
        ("ar", "1,249.90 US$", "0.5 USDC", "1 نوفمبر 2026, 12:00 UTC"),
    ],
)
def test_what_is_read_is_written_as_people_write_it(code, price, other, moment):
    spoken = language(code)
    assert spoken.price("1249.90", "USD").replace("\xa0", " ") == price.replace("\xa0", " ")
    assert spoken.price("0.5", "USDC") == other
    assert spoken.moment(1_793_534_400) == moment


def test_what_is_sent_is_written_as_wallets_read_it(samples):
    page = samples.page(lang="de")
    assert '<span class="all">25.00</span>' in page
    assert 'data-copy="25.00"' in page


def test_what_is_put_into_a_sentence_cannot_become_markup():
    assert "<i>" not in language("en")("back", merchant="<i>{0}")


TURNING = "\N{RIGHT-TO-LEFT OVERRIDE}"


@pytest.mark.parametrize(
    ("code", "name", "put_in"),
    [
        ("en", "Acme", "Acme"),
        ("en", f"Acme{TURNING}emcA", "AcmeemcA"),
        ("en", "متجر", "\N{FIRST STRONG ISOLATE}متجر\N{POP DIRECTIONAL ISOLATE}"),
        ("ar", "متجر", "متجر"),
        ("ar", "Acme (UK)", "\N{FIRST STRONG ISOLATE}Acme (UK)\N{POP DIRECTIONAL ISOLATE}"),
        ("en", "\N{POP DIRECTIONAL ISOLATE}قهوة", "\N{FIRST STRONG ISOLATE}قهوة\N{POP DIRECTIONAL ISOLATE}"),
    ],
)
def test_a_name_does_not_turn_around_the_sentence_that_it_stands_in(code, name, put_in):
    assert put_in in language(code)("state.paid.text", merchant=name)
    assert TURNING not in language(code)("state.paid.text", merchant=name)


@pytest.mark.parametrize(
    ("amount", "unit", "written"), [("2.5", "USD", "$2.50"), ("2", "USD", "$2.00"), ("2", "JPY", "¥2"), ("0.0001", "USD", "$0.0001")]
)
def test_a_price_has_the_decimals_of_its_currency_at_least(amount, unit, written):
    assert language("en").price(amount, unit) == written
