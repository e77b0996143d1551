"""The checkout on a shop's own page, which is of another origin: opened, paid, closed, and kept from whoever may not hold it."""

from __future__ import annotations

import json

import pytest
from blackbox import until
from browsing import DESKTOP, PHONE, SCREENS
from playwright.sync_api import expect
from purses import METHODS, UNDERWAY, wallet_for
from storefront import Storefront

# What a careful shop sends: nothing inline, and of strangers the checkout alone.
POLICY = (
    "default-src 'self'; img-src 'self' data:; script-src 'self' 'nonce-shop' {gateway}; frame-src {gateway}; style-src 'self'; "
    "require-trusted-types-for 'script'"
)
HEARD = """<script nonce="shop">
window.heard = [];
for (const type of ["ready", "status", "submitted", "close", "error"])
  document.addEventListener(`pepay:${type}`, (event) => heard.push([type, event.detail]));
</script>"""


@pytest.fixture(scope="module")
def named(town):
    """The origins that the merchant saved: a shop with a strict policy of its own, and one that shows advertisements of strangers."""
    strict = Storefront("localhost", {"content-security-policy": POLICY.format(gateway=town.gateway.url)})
    loose = Storefront("localhost")
    town.gateway.call("PATCH", "/api/v1/merchant", {"embed_origins": [strict.origin, loose.origin]})
    yield strict, loose
    strict.close()
    loose.close()


@pytest.fixture(scope="module")
def shopfront(named):
    return named[0]


@pytest.fixture(scope="module")
def market_square(named):
    return named[1]


@pytest.fixture(scope="module")
def stranger():
    """A page that the merchant did not name."""
    front = Storefront("localhost")
    yield front
    front.close()


def attributes(invoice, mode, **more):
    given = {"invoice": invoice["id"], "token": invoice["client_token"], "mode": mode, **more}
    return " ".join(f'data-pepay-{name}="{value}"' for name, value in given.items())


def script_of(town):
    return f'{HEARD}<script src="{town.gateway.url}/embed/v1.js" defer></script>'


def visit(pages, town, front, body, wallet=None, screen=DESKTOP):
    page = pages.new(screen)
    if wallet:
        wallet.put_into(page.page)
    page.watch.allow(town.gateway.url)
    return page.open(front.show(script_of(town) + body))


def heard(page, kind):
    return [detail for type_, detail in page.value("heard") if type_ == kind]


def checkout(page):
    return page.page.frame_locator("iframe[title=Payment]")


def address(town, invoice):
    """The page's address on another site than the shops': by number, while they have a name."""
    return f"{town.gateway.url}/pay/{invoice['id']}?token={invoice['client_token']}"


@pytest.mark.parametrize("mode", ["modal", "inline"])
@pytest.mark.parametrize("method", METHODS)
def test_an_order_is_paid_on_the_shops_page_by_the_shops_wallet(pages, town, shopfront, method, mode):
    invoice = town.invoice(method)
    wallet = wallet_for(town, method, top_only=True)
    body = f'<div id="place"></div><button {attributes(invoice, mode, target="#place")}>Pay with crypto</button>'
    page = visit(pages, town, shopfront, body, wallet)

    page.click("Pay with crypto")
    checkout(page).get_by_role("button", name=wallet.name).click()
    expect(checkout(page).locator(UNDERWAY)).to_be_visible(timeout=20_000)
    town.settle(method)

    expect(checkout(page).get_by_role("heading", name="Payment complete")).to_be_visible(timeout=20_000)
    assert town.gateway.status_of(invoice) == "paid"
    assert heard(page, "ready") == [{"invoice": invoice["id"]}]
    (submitted,) = heard(page, "submitted")
    assert submitted["invoice"] == invoice["id"]
    assert [each["status"] for each in heard(page, "status")][-1] == "paid"
    page.keep(f"embed-{mode}-{method}")


def test_the_checkout_fits_into_the_shops_page(pages, town, shopfront):
    for screen in (DESKTOP, PHONE, PHONE.but(theme="dark")):
        wallet = wallet_for(town, "USDC", top_only=True)
        page = visit(pages, town, shopfront, f"<button {attributes(town.invoice('USDC'), 'modal')}>Pay with crypto</button>", wallet, screen)
        page.click("Pay with crypto")
        expect(checkout(page).get_by_role("button", name=wallet.name)).to_be_visible()
        page.keep("embed-open")


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


def test_a_modal_has_the_keyboard_beside_other_frames(pages, town, market_square):
    shown = town.invoice("USDC")
    page = visit(
        pages,
        town,
        market_square,
        f"<button {attributes(town.invoice('USDC'), 'modal')}>Pay with crypto</button><div {attributes(shown, 'inline')}></div>",
    )
    expect(checkout(page).get_by_text("Send exactly")).to_be_visible()
    page.click("Pay with crypto")
    expect(page.page.frame_locator("dialog iframe").get_by_text("Send exactly")).to_be_visible()

    page.page.keyboard.press("Escape")

    expect(page.page.locator("dialog")).to_have_count(0)
    assert heard(page, "close")[0]["invoice"] != shown["id"]
    expect(checkout(page).get_by_text("Send exactly")).to_be_visible()


def test_a_page_that_the_merchant_did_not_name_cannot_frame_the_checkout(pages, town, shopfront, stranger):
    invoice = town.invoice("USDC")
    page = pages.new()
    page.watch.allow(town.gateway.url)
    page.watch.forgive("frame-ancestors")
    for parent in (shopfront.origin, stranger.origin):
        source = f"{address(town, invoice)}&embed=1&parent={parent}"
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
    page.open(shopfront.show(f'<iframe title="Payment" src="{address(town, invoice)}"></iframe>'))
    page.page.wait_for_load_state("networkidle")

    assert page.page.frames[1].url.startswith("chrome-error:")


def test_the_shop_chooses_theme_and_way_to_pay(pages, town, shopfront):
    invoice = town.invoice()
    button = f"<button {attributes(invoice, 'modal', theme='dark', method='usdc-dev')}>Pay with crypto</button>"
    page = visit(pages, town, shopfront, button)

    page.click("Pay with crypto")

    expect(checkout(page).get_by_text("To this Dev address")).to_be_visible()
    expect(checkout(page).locator("html[data-theme=dark]")).to_have_count(1)
    assert page.page.frames[1].evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 28)"


# --- who says what he may not ------------------------------------------------------------

COUNTING = 'addEventListener("message", (event) => (window.got ??= []).push(event.data));'
EVIL = {"id": "evil", "name": "Evil wallet", "icon": "", "family": "eip155"}


def got(frame, count):
    """Wait until a window was given so many messages; it has dealt with them then."""
    until(lambda: frame.evaluate("(window.got ?? []).length") >= count, f"{count} messages")


def among_strangers(pages, town, front, stranger, script):
    """Return a shop's page with an open checkout, beside a frame of somebody else's that runs a script."""
    invoice = town.invoice("USDC")
    stranger.show(f"<script>{script.replace('INVOICE', invoice['id'])}</script>")
    page = pages.new()
    page.page.add_init_script(COUNTING)
    page.watch.allow(town.gateway.url)
    page.watch.allow(stranger.origin)
    body = f"<div {attributes(invoice, 'inline')}></div>"
    page.open(front.show(script_of(town) + body))
    expect(checkout(page).get_by_text("Send exactly")).to_be_visible()
    page.value(f"""(() => {{
        const frame = document.createElement("iframe");
        frame.title = "Advertisement";
        frame.src = "{stranger.origin}/";
        document.body.append(frame);
    }})()""")
    return invoice, page


def test_a_stranger_beside_the_checkout_can_tell_neither_of_the_two_anything(pages, town, market_square, stranger):
    lies = [
        {"source": "pepay", "v": 1, "type": "status", "status": "paid", "invoice": "INVOICE"},
        {"source": "pepay", "v": 1, "type": "submitted", "hash": "0x" + "00" * 32, "invoice": "INVOICE"},
        {"source": "pepay", "v": 1, "type": "wallet.connect", "id": "evil", "req": 1, "invoice": "INVOICE"},
        {"source": "pepay", "v": 1, "type": "close", "invoice": "INVOICE"},
    ]
    orders = [
        {"source": "pepay-host", "v": 1, "type": "wallets", "list": [EVIL]},
        {"source": "pepay-host", "v": 1, "type": "theme", "theme": "dark"},
        {"source": "pepay-host", "v": 1, "type": "wallet.result", "req": 1, "result": "0x" + "00" * 20},
    ]
    script = (
        f"for (const each of {json.dumps(lies)}) parent.postMessage(each, '*');"
        f"for (const each of {json.dumps(orders)}) parent.frames[0].postMessage(each, '*');"
    )
    invoice, page = among_strangers(pages, town, market_square, stranger, script)
    shop, frame = page.page.main_frame, page.page.frames[1]

    got(shop, len(lies) + 1)
    got(frame, len(orders) + 1)

    assert {status["status"] for status in heard(page, "status")} == {"unpaid"}
    assert heard(page, "submitted") == heard(page, "close") == []
    expect(checkout(page).get_by_text("Send exactly")).to_be_visible()
    expect(checkout(page).get_by_text("Evil wallet")).to_have_count(0)
    assert frame.evaluate("document.documentElement.dataset.theme") is None
    assert town.gateway.status_of(invoice) == "unpaid"


def test_what_is_no_message_of_the_protocol_changes_nothing(pages, town, market_square, stranger):
    invoice, page = among_strangers(pages, town, market_square, stranger, "")
    frame = page.page.frames[1]
    before = frame.evaluate("document.body.innerText")
    wrong = [
        None,
        1,
        "wallets",
        [],
        {"source": "pepay-host", "v": 2, "type": "wallets", "list": [EVIL]},
        {"source": "somebody", "v": 1, "type": "wallets", "list": [EVIL]},
        {"source": "pepay-host", "v": 1, "type": "wallets", "list": "all"},
        {
            "source": "pepay-host",
            "v": 1,
            "type": "wallets",
            "list": [None, 1, {}, {**EVIL, "id": 5}, {**EVIL, "family": "bitcoin"}, {**EVIL, "name": {}}],
        },
        {"source": "pepay-host", "v": 1, "type": "wallet.result", "req": 77, "result": {}},
        {"source": "pepay-host", "v": 1, "type": "theme", "theme": '"><script>'},
        {"source": "pepay-host", "v": 1, "type": "status", "status": "paid"},
        {"source": "pepay-host", "v": 1, "type": "__proto__"},
    ]

    page.value(f"for (const each of {json.dumps(wrong)}) frames[0].postMessage(each, '{town.gateway.url}')")
    got(frame, len(wrong) + 1)
    answers = [{"source": "pepay", "v": 1, "invoice": invoice["id"], "type": each} for each in ("resize", "__proto__", "constructor", "toString")]
    frame.evaluate(f"{json.dumps(answers)}.forEach((each) => parent.postMessage(each, '{market_square.origin}'))")
    got(page.page.main_frame, 4)

    assert frame.evaluate("document.body.innerText") == before
    assert {status["status"] for status in heard(page, "status")} == {"unpaid"}


def test_a_wallet_that_the_shop_lends_is_shown_as_text_with_an_icon_of_its_own(pages, town, market_square, stranger):
    _, page = among_strangers(pages, town, market_square, stranger, "")
    markup = "<img src=x onerror=alert(1)>"
    lent = [
        {**EVIL, "id": str(at), "name": f"{markup}{at}", "icon": icon} for at, icon in enumerate(["javascript:alert(1)", "https://evil.test/x.png"])
    ]

    page.value(f"frames[0].postMessage({json.dumps({'source': 'pepay-host', 'v': 1, 'type': 'wallets', 'list': lent})}, '{town.gateway.url}')")

    expect(checkout(page).get_by_role("button", name=markup)).to_have_count(2)
    expect(checkout(page).locator("[data-list] img")).to_have_count(0)


def test_the_page_alone_listens_to_nobody(pages, town, market_square, stranger):
    invoice = town.invoice("USDC")
    page = pages.new()
    page.page.context.add_init_script(COUNTING)
    page.watch.allow(town.gateway.url)
    page.open(stranger.show("<button>Open</button>"))
    framed = f"{address(town, invoice)}&embed=1&parent={market_square.origin}"
    with page.page.expect_popup() as opened:
        page.value(f"void (window.other = open('{framed}'))")
    popup = opened.value
    expect(popup.get_by_text("Send exactly")).to_be_visible()

    # A page of another origin keeps no hold of it.
    assert page.value("other.closed") is True
    assert popup.evaluate("window.opener") is None


# --- what else a shop can do ---------------------------------------------------------------


def test_who_may_not_frame_the_checkout_is_told_and_its_buyers_get_a_link(pages, town, shopfront, stranger):
    invoice = town.invoice("USDC")
    page = pages.new()
    page.watch.allow(town.gateway.url)
    page.watch.forgive("frame-ancestors")
    page.page.clock.install()
    page.open(stranger.show(script_of(town) + f"<button {attributes(invoice, 'modal')}>Pay with crypto</button>"))
    page.click("Pay with crypto")
    page.has("dialog iframe")

    page.page.clock.fast_forward(16_000)

    link = page.page.get_by_role("link", name="Open the payment page")
    expect(link).to_be_visible()
    assert link.get_attribute("href") == address(town, invoice)
    assert heard(page, "error") == [{"invoice": invoice["id"], "code": "not_ready"}]


def test_a_tab_is_the_page_as_it_is(pages, town, shopfront):
    invoice = town.invoice("USDC")
    page = visit(pages, town, shopfront, f"<button {attributes(invoice, 'tab')}>Pay with crypto</button>")
    with page.page.expect_popup() as opened:
        page.click("Pay with crypto")
    popup = opened.value

    expect(popup.get_by_text("Send exactly")).to_be_visible()
    assert popup.url == address(town, invoice)
    assert popup.evaluate("window.opener") is None


def test_a_tab_begins_with_the_way_to_pay_that_the_shop_names(pages, town, shopfront):
    page = visit(pages, town, shopfront, f"<button {attributes(town.invoice(), 'tab', method='dai-dev')}>Pay with crypto</button>")
    with page.page.expect_popup() as opened:
        page.click("Pay with crypto")

    expect(opened.value.get_by_text("Only send DAI")).to_be_visible()


def test_a_script_opens_follows_and_closes(pages, town, shopfront):
    invoice = town.invoice("USDC")
    page = visit(pages, town, shopfront, "<p>no button</p>")
    options = {"invoice": invoice["id"], "token": invoice["client_token"], "lang": "de"}
    page.value(f"""(() => {{
        window.told = [];
        const note = (name) => (what) => told.push([name, what ?? null]);
        const options = {json.dumps(options)};
        for (const name of ["onReady", "onStatus", "onSubmitted", "onClose", "onError"]) options[name] = note(name);
        window.session = PePay.open(options);
    }})()""")
    page.value("session.theme('dark')")
    expect(checkout(page).locator("html[lang=de]")).to_have_count(1)
    expect(checkout(page).locator("html[data-theme=dark]")).to_have_count(1)
    page.value("session.close(), session.close()")

    expect(page.page.locator("dialog")).to_have_count(0)
    assert page.value("told") == [["onReady", None], ["onStatus", "unpaid"], ["onClose", None]]
    assert page.value("session.iframe.isConnected") is False


def test_pages_beside_the_checkout_stay_in_the_frame_and_can_be_left(pages, town, shopfront):
    invoice = town.invoice("USDC")
    page = visit(pages, town, shopfront, f"<button {attributes(invoice, 'modal')}>Pay with crypto</button>")
    page.click("Pay with crypto")
    expect(checkout(page).get_by_text("Send exactly")).to_be_visible()
    town.pay(invoice, "USDC")
    town.settle("USDC")
    tall = page.value("document.querySelector('iframe').clientHeight")

    checkout(page).get_by_role("link", name="Receipt").click(timeout=20_000)

    expect(checkout(page).get_by_role("heading", name="Receipt", exact=True)).to_be_visible()
    expect(checkout(page).get_by_role("link", name="PDF")).to_have_attribute("target", "_blank")
    assert page.value("document.querySelector('iframe').clientHeight") != tall
    checkout(page).get_by_role("link", name="PDF").focus()
    page.page.keyboard.press("Escape")
    expect(page.page.locator("dialog")).to_have_count(0)


def test_pages_of_help_speak_to_the_shops_page_as_well(pages, town, shopfront):
    invoice = town.invoice("USDC")
    page = visit(pages, town, shopfront, f"<button {attributes(invoice, 'modal')}>Pay with crypto</button>")
    page.click("Pay with crypto")
    expect(checkout(page).get_by_text("Send exactly")).to_be_visible()
    help_ = address(town, invoice).replace("?", "/sent?") + f"&embed=1&parent={shopfront.origin}"
    page.value(f"void (document.querySelector('iframe').src = '{help_}')")

    field = checkout(page).get_by_role("textbox")
    expect(field).to_be_visible()
    page.keep("embed-help")
    field.focus()
    page.page.keyboard.press("Escape")

    expect(page.page.locator("dialog")).to_have_count(0)


def test_the_page_in_the_frame_is_for_everybody(pages, town, shopfront):
    for screen in SCREENS:
        page = pages.new(screen)
        page.watch.allow(town.gateway.url)
        page.open(f"{address(town, town.invoice('USDC'))}&embed=1&parent={shopfront.origin}")
        page.shows("Send exactly")
        page.keep("embed-page")
        page.axe()
