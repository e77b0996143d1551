"""What a receipt says, on the page and in the PDF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pepay_core.web.checkout.pdf import Document, can_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pepay_core.web.checkout.view import View

Line = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A paid invoice in lines of a name and a value."""

    merchant: str
    title: str
    facts: tuple[Line, ...]
    lines: tuple[Line, ...]
    total: Line
    payments: tuple[tuple[Line, ...], ...]
    footer: str | None

    @property
    def printable(self) -> bool:
        """Whether a PDF can have all of its letters; browsers print every script by themselves."""
        return all(can_write(text) for text in self._texts())

    def _texts(self) -> Iterable[str]:
        yield from (self.merchant, self.title, self.footer or "")
        for line in (*self.facts, *self.lines, self.total, *(each for payment in self.payments for each in payment)):
            yield from line

    def pdf(self) -> bytes:
        """Return the receipt as a PDF of one page, or more where it has many lines; what cannot be written loses its marks, or is a question mark."""
        document = Document(f"{self.title} {self.facts[0][1]}")
        document.text(self.merchant, size=13, bold=True)
        document.space(10)
        document.text(self.title, size=24, bold=True)
        document.space(14)
        for group in (self.facts, (*self.lines, self.total), *self.payments):
            document.rule()
            for name, value in group:
                document.line(name, value, bold=(name, value) == self.total)
        if self.footer:
            document.space(14)
            document.text(self.footer, size=9)
        return document.bytes()


def receipt(view: View) -> Receipt | None:
    """Return the receipt of an invoice, or None while it is not paid."""
    invoice, t = view.invoice, view.t
    if not invoice["fulfil"]:
        return None
    about = invoice["title"] or invoice["description"]
    facts = [(str(t("receipt.number")), invoice["id"]), (str(t("receipt.from")), invoice["merchant_name"])]
    if about:
        facts.append((str(t("receipt.for")), about))
    if invoice["paid_at"]:
        facts.append((str(t("receipt.date")), t.moment(invoice["paid_at"])))
    return Receipt(
        merchant=invoice["merchant_name"],
        title=str(t("receipt")),
        facts=tuple(facts),
        lines=tuple((_item(item), t.price(item["amount"], view.unit) if item["amount"] else "") for item in invoice["line_items"]),
        total=(str(t("receipt.total")), t.price(invoice["amount"], view.unit)),
        payments=tuple(
            (
                (str(t("received")), f"{each['amount']} {each['symbol'] or ''}".strip()),
                (str(t("network")), view.network_of(each["asset"])),
                *(((str(t("transaction")), each["transaction"]),) if each["transaction"] else ()),
            )
            for each in view.received
        ),
        footer=invoice["footer"],
    )


def _item(item: Mapping[str, Any]) -> str:
    return item["name"] if item["quantity"] == 1 else f"{item['name']} \N{MULTIPLICATION SIGN} {item['quantity']}"
