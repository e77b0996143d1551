"""Who may hold the hosted page in a frame, and what the page then says and carries on."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

from pepay_core.testing.toy import DOLLAR
from pepay_core.web.embed import VERSION
from pepay_core.web.templating import STATIC

SHOP = "https://shop.example.com"
LOCAL = "http://localhost:3000"


async def save(web, *origins):
    answer = await web.client.patch("/api/v1/merchant", json={"embed_origins": list(origins)}, headers=web.auth)
    assert answer.status_code == 200


async def framed(web, invoice, query="&embed=1", **more):
    return await web.client.get(f"/pay/{invoice['id']}?token={invoice['client_token']}{query}", **more)


def ancestors(answer):
    return re.search(r"frame-ancestors ([^;]*)", answer.headers["content-security-policy"])[1]


async def test_the_saved_origins_may_frame_a_page_that_is_made_for_it(web):
    await save(web, SHOP, LOCAL)
    answer = await framed(web, await web.invoice(pay_with=DOLLAR.id))

    assert ancestors(answer) == f"{SHOP} {LOCAL}"
    assert "x-frame-options" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "require-trusted-types-for 'script'" in answer.headers["content-security-policy"]


async def test_no_other_page_can_be_framed(web):
    await save(web, SHOP)
    invoice = await web.invoice()
    for query in ("", "&embed=0", "&embed=true", f"&parent={SHOP}", "&embed="):
        answer = await framed(web, invoice, query)

        assert ancestors(answer) == "'none'"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "data-parent" not in answer.text
    for path in ("/pay/inv_x?embed=1", "/schema?embed=1", "/errors/not_found?embed=1", "/health/live?embed=1", "/embed/v1.js?embed=1"):
        answer = await web.client.get(path, headers={"accept": "text/html"})

        assert ancestors(answer) == "'none'"
        assert answer.headers["x-frame-options"] == "DENY"


async def test_nobody_may_frame_anything_where_the_merchant_saved_nothing(web):
    answer = await framed(web, await web.invoice(), f"&embed=1&parent={SHOP}")

    assert ancestors(answer) == "'none'"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "data-parent" not in answer.text


async def test_pages_without_tls_may_frame_test_invoices_only(web):
    await save(web, SHOP, LOCAL)
    live = await web.post("/api/v1/invoices", {"amount": "5", "currency": "USD"}, headers={"x-api-key": web.live_key})
    answer = await framed(web, live.json(), f"&embed=1&parent={LOCAL}")

    assert ancestors(answer) == SHOP
    assert "data-parent" not in answer.text


async def test_the_page_speaks_only_to_a_saved_origin_whatever_the_request_seems_to_come_from(web):
    await save(web, SHOP)
    invoice = await web.invoice()
    for named in ("", "https://evil.example.com", f"{SHOP}/", f"{SHOP}.evil.example", "null", "*"):
        answer = await framed(web, invoice, f"&embed=1&parent={named}", headers={"referer": f"{SHOP}/cart", "origin": SHOP})

        assert "data-parent" not in answer.text
        assert ancestors(answer) == SHOP
    assert f'data-parent="{SHOP}"' in (await framed(web, invoice, f"&embed=1&parent={SHOP}")).text


async def test_the_pages_own_links_stay_made_for_the_frame_and_those_that_leave_leave_it(web):
    await save(web, SHOP)
    invoice = await web.invoice(return_url="https://shop.example.com/thanks", tokens=[DOLLAR.id])
    query = f"&embed=1&parent={SHOP}&theme=dark&lang=es"
    page = (await framed(web, invoice, query)).text
    (action,) = re.findall(r'action="(/pay/[^"]+/choose[^"]*)"', page)

    answer = await web.client.post(action.replace("&amp;", "&"), data={"asset": DOLLAR.id})

    assert answer.status_code == 303
    carried = parse_qs(urlsplit(answer.headers["location"]).query)
    assert carried == {"token": [invoice["client_token"]], "embed": ["1"], "parent": [SHOP], "theme": ["dark"], "lang": ["es"]}
    again = await web.client.get(answer.headers["location"])
    assert ancestors(again) == SHOP
    assert 'data-theme="dark"' in again.text
    (back,) = re.findall(r'<a [^>]*href="https://shop.example.com/thanks"[^>]*>', again.text)
    assert 'target="_top"' in back


# --- the script ---------------------------------------------------------------------------


async def test_the_script_is_for_pages_of_every_origin_and_each_release_stays_as_it_is(web):
    newest = await web.client.get("/embed/v1.js")
    release = await web.client.get(f"/embed/{VERSION}.js")

    assert newest.status_code == release.status_code == 200
    assert newest.content == release.content == (STATIC / "embed.js").read_bytes()
    for answer in (newest, release):
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "set-cookie" not in answer.headers
    assert "immutable" not in newest.headers["cache-control"]
    assert release.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_the_hash_of_each_release_can_be_asked_for(web):
    listed = (await web.client.get("/embed/v1.json")).json()

    assert listed["current"] == VERSION
    for each in listed["releases"]:
        script = (await web.client.get(each["url"])).content
        assert each["integrity"] == "sha384-" + base64.b64encode(hashlib.sha384(script).digest()).decode()
    assert f'version:"{VERSION}"' in (STATIC / "embed.js").read_text()

    for other in ("v2.js", "v1.css", "0.0.1.js", "embed.js", ".js", "v1"):
        assert (await web.client.get(f"/embed/{other}")).status_code == 404
