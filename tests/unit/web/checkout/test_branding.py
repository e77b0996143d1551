"""A merchant's look, and that pages stay readable whatever is chosen."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain.colors import DARK_CARD, LIGHT_CARD, READABLE, contrast, ink, lighter
from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.images import MAX_BYTES, read_image
from pepay_core.services.branding import branding, branding_object
from pepay_core.web.checkout.themes import theme
from pepay_core.web.templating import STATIC

COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def png(width=64, height=64, more=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(b"\0" * 65)) + chunk(b"IEND", b"")


WEBP = base64.b64decode("UklGRh4AAABXRUJQVlA4TBEAAAAvAAAAAAfQ//73v/+BiOh/AAA=")


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", "21.0"), ("#777777", "#ffffff", "4.5"), ("#4f46e5", "#ffffff", "6.3")])
def test_contrast_is_what_the_guidelines_say(one, other, ratio):
    assert f"{contrast(one, other):.1f}" == ratio
    assert contrast(one, other) == contrast(other, one)


@given(COLORS)
def test_whatever_the_colour_its_button_can_be_read_by_day_and_by_night(color):
    assert contrast(color, ink(color)) >= READABLE
    night = lighter(color, DARK_CARD, READABLE)
    assert contrast(night, DARK_CARD) >= READABLE
    assert contrast(night, ink(night)) >= READABLE


def test_a_colour_that_can_be_seen_is_taken_and_shown():
    assert branding_object(branding({}, {"accent": "#0a7d4f"}))["accent"] == "#0a7d4f"
    assert branding_object(branding({}, {"color": "#0a7d4f"}))["accent"] == "#0a7d4f"
    assert branding({"accent": "#0a7d4f"}, {"accent": None}) == {}


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("accent", "#ffee88", f"contrast of 1.2:1 to {LIGHT_CARD}"),
        ("accent_dark", "#101020", "needs 3:1"),
        ("accent", "red", "a colour such as"),
        ("accent", "#12345", "a colour such as"),
        ("radius", "huge", "one of none, small, medium, large"),
        ("font", "Comic Sans", "one of inter, system, serif"),
        ("scheme", "sepia", "one of auto, light, dark"),
        ("code", "both", "one of address, amount"),
        ("languages", ["en", "xx"], "some of en, de"),
        ("languages", ["en", "en"], "some of en, de"),
        ("languages", [], "some of en, de"),
        ("support_url", "javascript:x", "an https URL"),
        ("support_email", "nobody", "an e-mail address"),
    ],
)
def test_what_would_spoil_a_page_is_refused_in_words(field, value, told):
    with pytest.raises(InvalidInput, match=told) as refused:
        branding({}, {field: value})
    assert refused.value.field == f"branding.{field}"


def test_the_stylesheet_holds_what_was_chosen_and_is_named_after_it():
    look = theme("mer_1", {"accent": "#0a7d4f", "radius": "none", "font": "serif", "scheme": "dark"})
    assert look.css == (
        ":root{--brand:light-dark(#0a7d4f,#2c8f67);--on-brand:light-dark(#ffffff,#0b1020);--rounding:0;"
        '--font:ui-serif, Georgia, Cambria, "Times New Roman", serif;color-scheme:dark}'
    )
    assert look.stylesheet != theme("mer_1", {"accent": "#0a7d4e"}).stylesheet
    assert theme("mer_1", {}).stylesheet is None


def test_the_variables_of_a_look_are_those_of_the_page():
    sheet = (STATIC / "checkout.css").read_text(encoding="utf-8")
    for name in ("--brand", "--on-brand", "--rounding", "--font"):
        assert f"{name}:" in sheet
        assert f"var({name})" in sheet


@pytest.mark.parametrize("data", [png(), png(2000, 1), WEBP])
def test_small_images_are_taken_for_what_they_are(data):
    assert read_image(data, field="image").media_type in {"image/png", "image/webp"}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", b"GIF89a" + bytes(40), png()[:-4], png(2001, 1), png(0, 1), WEBP[:20],
        b"\x89PNG\r\n\x1a\n", png(more=bytes(MAX_BYTES)), b"RIFF\x04\0\0\0WEBP" + bytes(30),
    ],
)  # fmt: skip
def test_everything_else_is_not(data):
    with pytest.raises(InvalidInput):
        read_image(data, field="image")
