from __future__ import annotations

import base64
from html.parser import HTMLParser

import pytest

from pepay_core.domain.chains import Destination
from pepay_core.testing.toy import COIN, DOLLAR
from pepay_core.web.templating import static_url


class Page(HTMLParser):
    """A page as a browser reads it: its elements, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def url(invoice, more: str = "") -> str:
    return f"/pay/{invoice['id']}?token={invoice['client_token']}{more}"


async def see(web, invoice, more: str = "") -> Page:
    answer = await web.client.get(url(invoice, more))
    assert answer.status_code == 200
    return Page(answer.text)


async def pay(web, invoice, units: int, asset=DOLLAR.id, blocks: int = 1) -> None:
    (option,) = [each for each in invoice["payment_options"] if each["destination"]]
    await web.net.pay(Destination(option["destination"]), units, asset)
    await web.net.mine(blocks)
    await web.see_chain()


@pytest.fixture
async def quoted(web):
    await web.see_chain()
    return await web.invoice(
        amount="25.00", pay_with=DOLLAR.id, title="Order #1042", line_items=[{"name": "Coffee", "quantity": 2, "amount": "25.00"}]
    )


async def test_a_buyer_chooses_how_to_pay_by_a_plain_form(web):
    invoice = await web.invoice(amount="25.00")
    page = await see(web, invoice)
    assert "Choose how to pay" in page.text
    buttons = [each for each in page.all("button") if each.get("name") == "asset"]
    assert [each["value"] for each in buttons] == [COIN.id, DOLLAR.id]
    (form,) = page.all("form")
    answer = await web.client.post(form["action"], data={"asset": DOLLAR.id})
    assert answer.status_code == 303
    assert answer.headers["location"] == url(invoice)
    assert "Send exactly" in (await see(web, invoice)).text


async def test_the_page_says_what_to_send_where_and_on_which_network(web, quoted):
    page = await see(web, quoted)
    option = next(each for each in quoted["payment_options"] if each["destination"])
    assert "$25.00" in page.text
    assert "25.00 TUSD" in page.text
    assert option["destination"] in "".join(page.words).replace(" ", "").replace("\n", "")
    assert "Only send TUSD on the Toy network" in page.text
    assert [each["data-copy"] for each in page.all("button") if "data-copy" in each][:2] == ["25.00", option["destination"]]
    assert "Order #1042" in page.text
    assert "Coffee \N{MULTIPLICATION SIGN} 2" in page.text
    assert "UTC" in page.text
    assert "Test mode" in page.text
    assert len(page.all("h1")) == 1


async def test_the_page_needs_no_script_no_cookie_and_nobody_else(web, quoted):
    answer = await web.client.get(url(quoted))
    page = Page(answer.text)
    assert [each["src"] for each in page.all("script")] == [static_url("checkout.js")]
    assert not [each for _, each in page.elements if any(name.startswith("on") or name == "style" for name in each)]
    assert "set-cookie" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'self'; style-src 'self'" in policy
    assert "require-trusted-types-for 'script'; trusted-types pepay" in policy
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert answer.headers["cache-control"] == "no-store"
    for tag, name in (("link", "href"), ("img", "src")):
        for each in page.all(tag):
            assert (each[name] or "").startswith("/static/")
            style = await web.client.get(each[name] or "")
            assert style.status_code == 200
            assert "immutable" in style.headers["cache-control"]


async def test_an_open_page_looks_again_by_itself(web, quoted):
    page = await see(web, quoted)
    (refresh,) = [each for each in page.all("meta") if each.get("http-equiv") == "refresh"]
    assert refresh["content"] == f"15; url={url(quoted)}"


async def test_the_page_follows_the_money_from_part_to_paid(web, quoted):
    await pay(web, quoted, 20_000_000, blocks=2)
    page = await see(web, quoted)
    assert "5.00 TUSD still to pay" in page.text
    assert "5.00 TUSD" in page.text
    assert not [each for each in page.all("a") if "change=1" in (each.get("href") or "")]
    await pay(web, quoted, 5_000_000)
    page = await see(web, quoted)
    assert "Payment seen" in page.text
    assert "Confirming 1 of 2" in page.text
    assert [each["aria-valuemax"] for each in page.all("div") if each.get("role") == "progressbar"] == ["2"]
    await web.net.mine(1)
    await web.see_chain()
    page = await see(web, quoted)
    assert "Payment complete" in page.text
    assert not [each for each in page.all("meta") if each.get("http-equiv") == "refresh"]


async def test_the_page_tells_every_other_end(web, quoted):
    await pay(web, quoted, 30_000_000, blocks=3)
    assert "more than was asked" in (await see(web, quoted)).text
    canceled = await web.invoice()
    await web.post(f"/api/v1/invoices/{canceled['id']}/cancel", {})
    assert "canceled" in (await see(web, canceled)).text
    over = await web.invoice(pay_with=DOLLAR.id)
    await web.clock.advance(3601)
    page = await see(web, over)
    assert "The time to pay is over" in page.text
    assert "Send exactly" not in page.text


async def test_a_price_that_ran_out_is_asked_for_again(web):
    invoice = await web.invoice(amount="25.00", pay_with=COIN.id)
    await web.clock.advance(901)
    page = await see(web, invoice)
    assert "The price has run out" in page.text
    assert "Send exactly" not in page.text
    (form,) = page.all("form")
    (button,) = [each for each in page.all("button") if each.get("name") == "asset"]
    assert (await web.client.post(form["action"], data={"asset": button["value"]})).status_code == 303
    assert "Send exactly" in (await see(web, invoice)).text


async def test_a_wrong_token_opens_a_page_that_does_not_exist(web, quoted):
    for token in ("", "wrong", quoted["client_token"][:-1], "ä"):
        answer = await web.client.get(f"/pay/{quoted['id']}", params={"token": token})
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert "Acme" not in answer.text
        assert (await web.client.post(f"/pay/{quoted['id']}/choose?token={token}", data={"asset": COIN.id})).status_code == 404


@pytest.mark.parametrize("asset", ["nonsense", "eip155:1/slip44:60", "<b>", ""])
async def test_what_cannot_be_chosen_is_told_on_a_page(web, asset):
    invoice = await web.invoice()
    answer = await web.client.post(url(invoice).replace("?", "/choose?"), data={"asset": asset})
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert "&#39;&lt;b&gt;&#39;" in answer.text or "<b>" not in asset


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"asset=a", "text/plain"), (b"\xff", "application/x-www-form-urlencoded"), (b"asset=a&asset=b", None), (b"", None)]
)
async def test_what_is_no_form_is_refused(web, body, content_type):
    invoice = await web.invoice()
    headers = {"content-type": content_type or "application/x-www-form-urlencoded"}
    answer = await web.client.post(url(invoice).replace("?", "/choose?"), content=body, headers=headers)
    assert answer.status_code in {415, 422}


async def test_nothing_that_a_shop_or_a_buyer_wrote_becomes_markup(web):
    hostile = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}'"
    invoice = await web.invoice(title=hostile, footer=hostile, description=hostile, line_items=[{"name": hostile, "amount": "49.99"}])
    await web.client.patch("/api/v1/merchant", json={"name": hostile}, headers=web.auth)
    page = await see(web, invoice)
    assert [each["src"] for each in page.all("script")] == [static_url("checkout.js")]
    assert not [each for each in page.all("img") if "onerror" in each]
    assert "{{7*7}}" in page.text
    assert "alert" not in (page.all("main")[0]["data-title"] or "").replace(hostile, "")


@pytest.mark.parametrize("path", ["/schema", "/errors", "/errors/not_found", "/pay/inv_00000000000000000000000000?token=x"])
async def test_every_page_says_once_in_which_letters_it_is_written(web, path):
    answer = await web.client.get(path, headers={"accept": "text/html"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_the_reference_lists_every_operation_and_every_error_has_a_page(web):
    page = Page((await web.client.get("/schema")).text)
    assert "/api/v1/invoices/{invoice}/payment-options" in page.text
    errors = Page((await web.client.get("/errors")).text)
    links = [each["href"] for each in errors.all("a") if (each["href"] or "").startswith("/errors/")]
    assert len(links) > 30
    for link in links:
        assert (await web.client.get(link or "")).status_code == 200
    assert (await web.client.get("/errors/nothing")).status_code == 404


async def test_static_files_are_packed_for_those_who_can_unpack_and_not_sent_twice(web):
    address = static_url("checkout.css")
    plain = await web.client.get(address, headers={"accept-encoding": "identity"})
    packed = await web.client.get(address, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    again = await web.client.get(address, headers={"accept-encoding": "gzip", "if-none-match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for missing in ("/static/nothing.css", "/static/../app.py", "/static/templates/pay.html", "/static/"):
        assert (await web.client.get(missing)).status_code == 404


async def test_a_merchants_look_is_a_stylesheet_of_this_origin(web, quoted):
    await web.client.patch("/api/v1/merchant", json={"branding": {"accent": "#0a7d4f", "languages": ["de", "en"]}}, headers=web.auth)
    answer = await web.client.get(url(quoted))
    page = Page(answer.text)
    (theme,) = [each["href"] for each in page.all("link") if (each["href"] or "").startswith("/theme/")]
    assert page.all("html")[0]["lang"] == "de"
    sheet = await web.client.get(theme or "")
    assert sheet.status_code == 200
    assert sheet.headers["content-type"].startswith("text/css")
    assert "immutable" in sheet.headers["cache-control"]
    assert "#0a7d4f" in sheet.text
    assert (await web.client.get((theme or "").replace(".css", "0.css"))).status_code == 404
    assert (await web.client.get("/theme/mer_00000000000000000000000000/x.css")).status_code == 404
    too_light = await web.client.patch("/api/v1/merchant", json={"branding": {"accent": "#ffee88"}}, headers=web.auth)
    assert too_light.status_code == 422
    assert "contrast" in too_light.json()["error"]["message"]


async def test_a_logo_is_served_as_the_image_that_it_is_and_can_be_taken_away(web, quoted):
    data = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40" + bytes(13) + b"IEND\xaeB`\x82"
    answer = await web.post("/api/v1/merchant/logo", {"image": base64.b64encode(data).decode()})
    name = answer.json()["branding"]["logo"]
    (logo,) = [each["src"] for each in (await see(web, quoted)).all("img") if each.get("class") == "logo"]
    assert logo == f"/theme/{web.merchant}/{name}"
    image = await web.client.get(logo or "")
    assert (image.content, image.headers["content-type"], image.headers["x-content-type-options"]) == (data, "image/png", "nosniff")
    assert "default-src 'none'" in image.headers["content-security-policy"]
    for wrong in ("<svg/>", base64.b64encode(b"<svg/>").decode()):
        assert (await web.post("/api/v1/merchant/logo", {"image": wrong})).status_code == 422
    await web.client.patch("/api/v1/merchant", json={"branding": {"accent": "#0a7d4f"}}, headers=web.auth)
    assert (await web.get("/api/v1/merchant")).json()["branding"]["logo"] == name
    gone = await web.client.delete("/api/v1/merchant/logo", headers=web.auth)
    assert gone.json()["branding"]["logo"] is None
    assert (await web.client.get(logo or "")).status_code == 404


async def test_a_receipt_comes_with_the_money(web, quoted):
    address = f"/pay/{quoted['id']}/receipt"
    query = {"token": quoted["client_token"]}
    assert "There is no receipt yet" in (await web.client.get(address, params=query)).text
    assert (await web.client.get(f"{address}.pdf", params=query)).status_code == 404
    await pay(web, quoted, 25_000_000, blocks=3)
    assert "Order #1042" in (await web.client.get(address, params=query)).text
    for lang in ("en", "ja"):
        file = await web.client.get(f"{address}.pdf", params={**query, "lang": lang})
        assert file.headers["content-type"] == "application/pdf"
        assert file.content.startswith(b"%PDF-1.4")
    assert (await web.client.get(f"{address}.pdf", params={"token": "wrong"})).status_code == 404


async def test_the_language_is_asked_for_by_the_link_and_handed_on(web, quoted):
    page = await see(web, quoted, "&lang=ar")
    assert (page.all("html")[0]["lang"], page.all("html")[0]["dir"]) == ("ar", "rtl")
    assert all("lang=ar" in (each["action"] or "") for each in page.all("form"))
    french = await web.client.get(url(quoted), headers={"accept-language": "fr-CH, en;q=0.4"})
    assert '<html lang="fr"' in french.text
