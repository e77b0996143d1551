"""The checkout on a shop's own page, which is of another origin: opened, paid, closed, and kept from whoever may not hold it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from purses import METHODS, wallet_for
from storefront import Storefront

# What a careful shop sends: nothing inline, and of strangers the checkout alone.
POLICY = "default-src 'self'; img-src 'self' data:; script-src 'self' 'nonce-shop' {gateway}; frame-src {gateway}; style-src 'self'; require-trusted-types-for 'script'"
HEARD = """<script nonce="shop">
window.heard = [];
for (const type of ["ready", "status", "submitted", "close", "error"])
  document.addEventListener(`pepay:${type}`, (event) => heard.push([type, event.detail]));
</script>"""


@pytest.fixture(scope="module")
def shopfront(town):
    """A shop that the merchant named, with a strict policy of its own."""
    front = Storefront("localhost", {"content-security-policy": POLICY.format(gateway=town.gateway.url)})
    town.gateway.call("PATCH", "/api/v1/merchant", {"embed_origins": [front.origin]})
    yield front
    front.close()


@pytest.fixture(scope="module")
def stranger():
    """A page that the merchant did not name."""
    front = Storefront("localhost")
    yield front
    front.close()


def attributes(invoice, mode, **more):
    given = {"invoice": invoice["id"], "token": invoice["client_token"], "mode": mode, **more}
    return " ".join(f'data-pepay-{name}="{value}"' for name, value in given.items())


def script(town):
    return f'{HEARD}<script src="{town.gateway.url}/embed/v1.js" defer></script>'


def visit(pages, town, front, body, wallet=None):
    page = pages.new()
    if wallet:
        wallet.put_into(page.page)
    page.watch.allow(town.gateway.url)
    return page.open(front.show(script(town) + body))


def heard(page, kind):
    return [detail for type_, detail in page.value("heard") if type_ == kind]


def checkout(page):
    return page.page.frame_locator("iframe")


@pytest.mark.parametrize("mode", ["modal", "inline"])
@pytest.mark.parametrize("method", METHODS)
def test_an_order_is_paid_on_the_shops_page_by_the_shops_wallet(pages, town, shopfront, method, mode):
    invoice = town.invoice(method)
    wallet = wallet_for(town, method, top_only=True)
    body = f'<div id="place"></div><button {attributes(invoice, mode, target="#place")}>Pay with crypto</button>'
    page = visit(pages, town, shopfront, body, wallet)

    page.click("Pay with crypto")
    checkout(page).get_by_role("button", name=wallet.name).click()
    expect(checkout(page).get_by_text("Sent. Looking for it on")).to_be_visible()
    town.settle(method)

    expect(checkout(page).get_by_text("Payment complete")).to_be_visible()
    assert town.gateway.status_of(invoice) == "paid"
    assert heard(page, "ready") == [{"invoice": invoice["id"]}]
    (submitted,) = heard(page, "submitted")
    assert submitted["invoice"] == invoice["id"]
    assert [each["status"] for each in heard(page, "status")][-1] == "paid"
    page.keep(f"embed-{mode}-{method}")


def test_a_modal_is_closed_by_escape_and_gives_the_focus_back(pages, town, shopfront):
    page = visit(pages, town, shopfront, f"<button {attributes(town.invoice('USDC'), 'modal')}>Pay with crypto</button>")
    for leave in (
        lambda: page.page.keyboard.press("Escape"),
        lambda: checkout(page).get_by_role("button", name="Close").click(),
        lambda: (checkout(page).get_by_role("link", name="Open in wallet app").focus(), page.page.keyboard.press("Escape")),
    ):
        page.click("Pay with crypto")
        expect(checkout(page).get_by_text("Send exactly")).to_be_visible()
        assert page.value("document.activeElement.tagName") == "IFRAME"

        leave()

        expect(page.page.locator("dialog")).to_have_count(0)
        assert page.value("document.activeElement.textContent") == "Pay with crypto"
    assert len(heard(page, "close")) == 3


def test_a_page_that_the_merchant_did_not_name_cannot_frame_the_checkout(pages, town, shopfront, stranger):
    invoice = town.invoice("USDC")
    page = pages.new()
    page.watch.allow(town.gateway.url)
    page.watch.forgive("frame-ancestors")
    for parent in (shopfront.origin, stranger.origin):
        source = f"{invoice['payment_url']}&embed=1&parent={parent}"
        page.open(stranger.show(f'<iframe title="Payment" src="{source}"></iframe>'))
        page.page.wait_for_load_state("networkidle")

        frame = page.page.frames[1]
        assert "Send exactly" not in frame.content()
        assert frame.url.startswith("chrome-error:")


def test_only_a_page_made_for_it_can_be_framed(pages, town, shopfront):
    invoice = town.invoice("USDC")
    page = pages.new()
    page.watch.allow(town.gateway.url)
    page.watch.forgive("frame-ancestors")
    page.watch.forgive("X-Frame-Options")
    page.open(shopfront.show(f'<iframe title="Payment" src="{invoice["payment_url"]}"></iframe>'))
    page.page.wait_for_load_state("networkidle")

    assert page.page.frames[1].url.startswith("chrome-error:")
