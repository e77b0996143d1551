"""A receipt says what was paid, on the page and in a file that readers open."""

from __future__ import annotations

import re
import zlib

import pytest

from pepay_core.web.checkout.pdf import Document, can_write
from pepay_core.web.checkout.receipts import receipt
from pepay_core.web.templating import render

PAID = {
    "status": "paid", "fulfil": True, "paid_at": 1_000_000, "title": "Order #1042 (café)", "footer": "Thank you.",
    "line_items": [{"name": "Coffee", "quantity": 2, "amount": "21.00"}, {"name": "Shipping", "quantity": 1, "amount": "4.00"}],
}  # fmt: skip


def words(pdf: bytes) -> list[str]:
    """Return the texts of a file, in their order."""
    found = []
    for stream in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL):
        texts = re.findall(rb"\((.*)\) Tj", zlib.decompress(stream))
        found += [re.sub(rb"\\(.)", rb"\1", text).decode("cp1252") for text in texts]
    return found


def objects(pdf: bytes) -> list[int]:
    """Return where the file's table says that its objects begin, which is where they have to."""
    start = int(pdf.rpartition(b"startxref\n")[2].split()[0])
    assert pdf[start:].startswith(b"xref")
    places = [int(line[:10]) for line in pdf[start:].splitlines()[3:] if line.endswith(b"n ")]
    for number, place in enumerate(places, 1):
        assert pdf[place:].startswith(b"%d 0 obj" % number)
    return places


def test_the_page_and_the_file_say_the_same(samples):
    view = samples.view(payments=[samples.payment(status="confirmed")], **PAID)
    made = receipt(view)
    assert made is not None
    page = render("pay/receipt.html", view=view, receipt=made)
    said = " ".join(words(made.pdf()))
    for text in (
        "Order #1042 (café)",
        "Coffee \N{MULTIPLICATION SIGN} 2",
        "$21.00",
        "Total",
        "$25.00",
        "25.00 USDC",
        "Ethereum",
        "Jan 12, 1970",
        "Acme",
    ):
        assert text in page
        assert text in said
    assert samples.hash in page
    assert samples.hash in said.replace(" ", "")
    assert len(objects(made.pdf())) == 7


def test_there_is_no_receipt_before_the_money(samples):
    view = samples.view()
    assert receipt(view) is None
    assert "There is no receipt yet" in render("pay/receipt.html", view=view, receipt=None)


@pytest.mark.parametrize(("lang", "printable"), [("de", True), ("fr", True), ("pt", True), ("pl", False), ("ja", False), ("ar", False)])
def test_what_the_file_cannot_write_is_left_to_the_browsers_printing(samples, lang, printable):
    view = samples.view(lang=lang, payments=[samples.payment(status="confirmed")], **PAID)
    made = receipt(view)
    assert made is not None
    assert made.printable is printable
    page = render("pay/receipt.html", view=view, receipt=made)
    assert ("receipt.pdf" in page) is printable
    assert "data-print" in page


def test_a_long_receipt_goes_on_on_another_page():
    document = Document("many")
    for at in range(120):
        document.line(f"Item {at}", "1.00")
    made = document.bytes()
    assert b"/Count 3" in made
    assert [text for text in words(made) if text.startswith("Item")] == [f"Item {at}" for at in range(120)]
    assert len(objects(made)) == 5 + 2 * 3


def test_nothing_runs_over_the_margin():
    document = Document("wide")
    document.line("x" * 300, "y" * 300)
    document.text("word " * 200)
    (stream,) = re.findall(rb"stream\n(.*?)\nendstream", document.bytes(), re.DOTALL)
    for x, y, text in re.findall(rb"(\d+) (\d+) Td \((.*)\) Tj", zlib.decompress(stream)):
        assert int(x) >= 56
        assert int(y) >= 56
        assert len(text) <= 110


def test_what_somebody_wrote_cannot_leave_its_text():
    document = Document("a) /JS (b")
    document.text("end) Tj ET Q (\\")
    assert words(document.bytes()) == ["end) Tj ET Q (\\"]
    assert b"/Title (a\\) /JS \\(b)" in document.bytes()


def test_letters_without_a_place_in_the_font_are_known():
    assert can_write("Grüße \N{EN DASH} 5 €")
    assert not can_write("zażółć")
    assert not can_write("注文")


def test_a_letter_that_the_file_cannot_have_is_written_without_its_marks_where_there_is_such_a_letter():
    document = Document("title")
    document.text("Zażółć Łódź İş ağ 咖啡 (€)")
    assert words(document.bytes()) == ["Zazólc Lódz Is ag ?? (€)"]
