from __future__ import annotations

import pytest

from pepay_core.web.templating import bold, grouped, ltr, price, shortened, utc


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (price("1234567.50", "USD"), "$1,234,567.50"),
        (price("1000", "JPY"), "¥1,000"),
        (price("5.00", "CHF"), "5.00 CHF"),
        (price("0.000000000000000001", "eip155:1/slip44:60"), "0.000000000000000001 eip155:1/slip44:60"),
        (utc(0), "1 Jan 1970, 00:00 UTC"),
        (shortened("0x" + "ab" * 32), "0xababab…ababab"),
        (" ".join(grouped("0x7A58c0Be72BE")), "0x7A58 c0Be 72BE"),
        (bold("<i>"), "<b><bdi>&lt;i&gt;</bdi></b>"),
        (ltr("5.00"), '<bdi dir="ltr">5.00</bdi>'),
    ],
)
def test_numbers_and_names_are_written_for_reading(written, expected):
    assert written == expected
