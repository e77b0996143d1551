"""What browsers load is small, ours, and kept."""

from __future__ import annotations

import gzip
import re

import pytest

from pepay_core.web.assets import _takes_gzip, assets
from pepay_core.web.templating import STATIC

KIB = 1024


def wire(name: str) -> int:
    """Return how many bytes of a file are sent."""
    asset = assets()[name]
    return len(asset.packed or asset.plain)


def test_the_checkout_stays_within_its_budget(samples):
    script, sheet = wire("checkout.js"), wire("checkout.css")
    assert script <= 8 * KIB
    assert script + sheet <= 15 * KIB
    assert wire("inter.woff2") <= 30 * KIB


def test_a_whole_first_visit_stays_within_its_budget(samples):
    loaded = ["checkout.js", "checkout.css", "inter.woff2", "mark.svg", "marks/usdc.svg", "marks/on-ethereum.svg"]
    page = samples.page().encode()
    # The page itself is not compressed: it holds a secret.
    assert len(page) + sum(map(wire, loaded)) + KIB * len(loaded) <= 80 * KIB
    several = samples.page(payment_options=[samples.unchosen(asset=f"eip155:1/erc20:{at}") for at in range(20)]).encode()
    assert len(several) <= 40 * KIB


def test_every_file_is_what_it_says_in_either_form():
    assert set(assets()) == {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}
    for name, asset in assets().items():
        assert asset.plain == (STATIC / name).read_bytes()
        assert asset.packed is None or gzip.decompress(asset.packed) == asset.plain


def test_nothing_that_is_loaded_leads_elsewhere():
    for name, asset in assets().items():
        if name.endswith((".css", ".js", ".svg")):
            # Names of vocabularies, and comments, are nothing that is loaded.
            foreign = re.sub(rb"http://www\.w3\.org/(2000/svg|1999/xlink)|/\*.*?\*/", b"", asset.plain)
            assert b"http://" not in foreign, name
            assert b"https://" not in foreign, name
            assert b"@import" not in foreign, name


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [("gzip, br", True), ("br;q=1.0, GZIP;q=0.8", True), ("*", True), ("", False), ("br", False), ("gzip;q=0", False), ("gzip; q=0.0", False)],
)
def test_who_cannot_unpack_gets_the_plain_file(accepted, taken):
    assert _takes_gzip(accepted) is taken
