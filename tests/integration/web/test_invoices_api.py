from __future__ import annotations

import json

import msgspec
import pytest

from pepay_core.testing.toy import COIN, DOLLAR
from pepay_core.web.api import api_keys, invoice_objects, merchant, offers, replays, wallets, webhooks


def conforms(written, kind):
    """Insist that an object is exactly what the document says: nothing missing, nothing of another type, nothing more."""
    decoded = msgspec.json.decode(json.dumps(written).encode(), type=kind)
    names = {field.encode_name for field in msgspec.structs.fields(kind)}
    optional = {field.encode_name for field in msgspec.structs.fields(kind) if field.default is msgspec.UNSET}
    assert names - optional <= set(written) <= names
    return decoded


async def test_an_invoice_is_created_and_read_back(web):
    invoice = await web.invoice(description="Order 1042", metadata={"n": 0})
    assert invoice["status"] == "unpaid"
    assert invoice["amount"] == "49.99"
    assert invoice["livemode"] is False
    again = await web.get(f"/api/v1/invoices/{invoice['id']}")
    assert again.status_code == 200
    assert again.json() == invoice
    conforms(invoice, invoice_objects.Invoice)


async def test_every_field_of_an_invoice_comes_back(web):
    fields = {
        "description": "d", "customer_id": "c", "customer_email": "a@example.com", "expires_in": 600, "tokens": [DOLLAR.id], "title": "t",
        "footer": "f",
        "settlement_asset": DOLLAR.id, "return_url": "https://shop.example.com/thanks", "pay_with": DOLLAR.id,
        "tolerance": {"percent": "1", "amount": "0.20"}, "line_items": [{"name": "n", "quantity": 2, "amount": 21.5}],
    }  # fmt: skip
    invoice = await web.invoice(**fields)
    assert {
        name: invoice[name] for name in ("description", "customer_id", "customer_email", "title", "footer", "settlement_asset", "return_url")
    } == {name: fields[name] for name in ("description", "customer_id", "customer_email", "title", "footer", "settlement_asset", "return_url")}
    assert invoice["tolerance"] == {"percent": "1", "amount": "0.20"}
    assert invoice["line_items"] == [{"name": "n", "quantity": 2, "amount": "21.5"}]
    assert invoice["expires_at"] - invoice["created_at"] == 600
    (option,) = invoice["payment_options"]
    assert option["quote"]["amount"] == "49.99"
    assert option["destination"].startswith("toy1")
    conforms(invoice, invoice_objects.Invoice)


@pytest.mark.parametrize("amount", ['"49.99"', "49.99", "49.990"])
async def test_an_amount_may_be_a_string_or_a_number(web, amount):
    answer = await web.post_raw("/api/v1/invoices", b'{"amount_usd":' + amount.encode() + b"}")
    assert answer.status_code == 201
    assert answer.json()["amount"] == "49.99"


async def test_metadata_comes_back_as_it_was_sent(web):
    written = b'{"big":123456789012345678901234567890,"fine":0.12345678901234567890,"nested":{"list":[1.10,null,true,"\xe2\x82\xac"]}}'
    made = await web.post_raw("/api/v1/invoices", b'{"amount_usd":"5","metadata":' + written + b"}")
    assert made.status_code == 201
    read = await web.get(f"/api/v1/invoices/{made.json()['id']}")
    for answer in (made, read):
        assert b'"metadata":' + written in answer.content
    events = await web.get("/api/v1/events")
    assert b'"metadata":' + written in events.content


async def test_an_option_is_chosen_and_quoted(web):
    invoice = await web.invoice()
    answer = await web.post(f"/api/v1/invoices/{invoice['id']}/payment-options", {"asset": COIN.id})
    assert answer.status_code == 200
    option = next(each for each in answer.json()["payment_options"] if each["asset"] == COIN.id)
    assert option["quote"]["rate"] == "2000"
    refused = await web.post(f"/api/v1/invoices/{invoice['id']}/payment-options", {"asset": "eip155:1/slip44:60"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unknown_asset")
    assert refused.json()["error"]["details"][0]["field"] == "asset"


async def test_an_invoice_is_canceled_once(web):
    invoice = await web.invoice()
    answer = await web.post(f"/api/v1/invoices/{invoice['id']}/cancel", {"reason": "changed his mind"})
    assert answer.json()["status"] == "canceled"
    again = await web.client.post(f"/api/v1/invoices/{invoice['id']}/cancel", headers=web.auth)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "invoice_closed")


async def test_an_invoice_is_resolved_only_where_something_waits(web):
    invoice = await web.invoice()
    answer = await web.post(f"/api/v1/invoices/{invoice['id']}/resolve", {"action": "accept"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    answer = await web.post(f"/api/v1/invoices/{invoice['id']}/resolve", {"action": "forget"})
    assert answer.json()["error"]["details"][0]["field"] == "action"


async def test_a_payment_is_found_by_all_its_names(web):
    from pepay_core.domain.chains import Destination

    invoice = await web.invoice(pay_with=DOLLAR.id)
    await web.see_chain()
    (option,) = [each for each in invoice["payment_options"] if each["destination"]]
    transaction = await web.net.pay(Destination(option["destination"]), int(option["quote"]["amount_base_units"]), DOLLAR.id)
    await web.net.mine(3)
    verified = await web.post(f"/api/v1/invoices/{invoice['id']}/verify")
    assert verified.json()["status"] == "paid"
    conforms(verified.json(), invoice_objects.Invoice)
    (payment,) = verified.json()["payments"]
    conforms(payment, invoice_objects.Payment)
    assert (await web.get(f"/api/v1/payments/{payment['id']}")).json() == payment
    assert (await web.get("/api/v1/payments", params={"invoice": invoice["id"]})).json()["data"] == [payment]
    by_transaction = (await web.get(f"/api/v1/invoices/by-transaction/{transaction}")).json()
    assert [each["id"] for each in by_transaction["data"]] == [invoice["id"]]
    status = (await web.get(f"/api/v1/invoices/{invoice['id']}/status")).json()
    conforms(status, invoice_objects.InvoiceStatus)
    assert status["fulfil"] is True
    entries = (await web.get("/api/v1/ledger/entries", params={"invoice": invoice["id"]})).json()["data"]
    assert sum(int(each["amount_base_units"]) for each in entries) == 0
    totals = (await web.get("/api/v1/invoices/totals")).json()
    assert totals["data"] == [{"status": "paid", "currency": "USD", "count": 1, "amount": "49.99", "amount_paid": "49.99"}]


async def test_a_list_is_read_page_by_page_in_both_directions(web):
    made = []
    for number in range(5):
        await web.clock.advance(1)
        made.append((await web.invoice(customer_id=str(number)))["id"])
    newest_first = made[::-1]
    first = (await web.get("/api/v1/invoices", params={"limit": 2})).json()
    assert [each["id"] for each in first["data"]] == newest_first[:2]
    assert (first["object"], first["has_more"]) == ("list", True)
    second = (await web.get("/api/v1/invoices", params={"limit": 2, "starting_after": newest_first[1]})).json()
    assert [each["id"] for each in second["data"]] == newest_first[2:4]
    back = (await web.get("/api/v1/invoices", params={"limit": 2, "ending_before": newest_first[2]})).json()
    assert [each["id"] for each in back["data"]] == newest_first[:2]
    last = (await web.get("/api/v1/invoices", params={"starting_after": newest_first[3]})).json()
    assert [each["id"] for each in last["data"]] == newest_first[4:]
    assert last["has_more"] is False


async def test_a_list_is_filtered_by_what_stands_and_when(web):
    await web.invoice(customer_id="one")
    await web.clock.advance(3600)
    later = await web.invoice(customer_id="two")
    at = later["created_at"]
    for params in (
        {"customer_id": "two"},
        {"created_from": at},
        {"created_from": "2026-11-01T14:00:00+01:00"},
        {"fulfil": "false", "customer_id": "two"},
    ):
        found = (await web.get("/api/v1/invoices", params=params)).json()["data"]
        assert [each["id"] for each in found] == [later["id"]], params
    assert (await web.get("/api/v1/invoices", params={"status": "paid"})).json()["data"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=1&limit=2", "limit"), ("status=lost", "status"),
        ("status=null", "status"),
        ("fulfil=maybe", "fulfil"), ("created_from=yesterday", "created_from"), ("created_from=2026-13-01T00:00:00Z", "created_from"),
        ("starting_after=inv_0&ending_before=inv_1", "ending_before"), ("starting_after=nonsense", "starting_after"),
        ("starting_after=inv_00000000000000000000000000", "starting_after"), ("customer_id=" + "x" * 256, "customer_id"), ("limit=%00", "limit"),
    ],
)  # fmt: skip
async def test_a_query_that_is_wrong_is_refused_with_the_name_of_the_parameter(web, query, field):
    answer = await web.get(f"/api/v1/invoices?{query}")
    assert answer.status_code in {400, 404, 422}
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_wallets_are_added_shown_and_archived(web):
    answer = await web.post("/api/v1/wallets", {"chain_family": "toy", "kind": "addresses", "value": ["toy1" + "A" * 40], "label": "till"})
    assert answer.status_code == 201
    wallet = answer.json()
    conforms(wallet, wallets.Wallet)
    assert wallet["value"] == ["toy1" + "a" * 40]
    assert wallet["first_address"].startswith("toy1")
    assert (await web.get(f"/api/v1/wallets/{wallet['id']}")).json() == wallet
    assert wallet["id"] in [each["id"] for each in (await web.get("/api/v1/wallets")).json()["data"]]
    gone = await web.client.delete(f"/api/v1/wallets/{wallet['id']}", headers=web.auth)
    assert gone.json()["archived_at"] is not None
    assert (await web.get(f"/api/v1/wallets/{wallet['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"chain_family": "btc", "kind": "xpub", "value": "x"}, "chain_family"),
        ({"chain_family": "toy", "kind": "key", "value": "x"}, "kind"),
        ({"chain_family": "toy", "kind": "addresses", "value": ["nonsense"]}, "value"),
        ({"chain_family": "toy", "kind": "addresses", "value": ["toy1" + "a" * 40] * 2}, "value"),
        ({"chain_family": "toy", "kind": "addresses", "value": []}, "value"),
        ({"chain_family": "toy", "kind": "addresses", "value": 5}, "value"),
        ({"chain_family": "toy", "kind": "addresses"}, "value"),
        ({"chain_family": "toy", "kind": "seed", "value": "s", "private_key": "x"}, "private_key"),
    ],
)
async def test_a_wallet_that_is_wrong_is_refused_with_the_name_of_the_field(web, body, field):
    answer = await web.post("/api/v1/wallets", body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_preferences_are_changed_field_by_field(web):
    before = (await web.get("/api/v1/merchant")).json()
    conforms(before, merchant.Merchant)
    changes = {
        "name": "Acme", "currency": "EUR", "tokens": [DOLLAR.id], "settlement_asset": DOLLAR.id, "tolerance": {"percent": 1}, "late_policy": "hold",
        "finality": {"toy:1": [{"up_to": "100", "blocks": 1}, {"finality": "finalized"}]}, "branding": {"color": "#4f46e5"},
        "embed_origins": ["https://shop.example.com"],
    }  # fmt: skip
    answer = await web.client.patch("/api/v1/merchant", json=changes, headers=web.auth)
    assert answer.status_code == 200, answer.text
    after = answer.json()
    conforms(after, merchant.Merchant)
    assert after["tolerance"] == {"percent": "1", "amount": before["tolerance"]["amount"]}
    assert after["finality"]["toy:1"] == [
        {"up_to": "100", "finality": "confirmations", "blocks": 1},
        {"up_to": None, "finality": "finalized", "blocks": None},
    ]
    assert {name: after[name] for name in ("name", "currency", "tokens", "late_policy", "embed_origins")} == {
        name: changes[name] for name in ("name", "currency", "tokens", "late_policy", "embed_origins")
    }
    # What was read can be written back.
    again = {name: after[name] for name in changes}
    assert (await web.client.patch("/api/v1/merchant", json=again, headers=web.auth)).json() == after


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"), ({"name": None}, "name"), ({"currency": "usd"}, "currency"), ({"currency": "ABC"}, "currency"),
        ({"tokens": ["x"]}, "tokens.0"),
        ({"tokens": ["eip155:1/slip44:60"]}, "tokens.0"), ({"tolerance": {"percent": "6"}}, "tolerance.percent"),
        ({"late_policy": "never"}, "late_policy"),
        ({"tolerance": {"percent": "-1"}}, "tolerance.percent"), ({"finality": {"toy:1": []}}, "finality"),
        ({"finality": {"toy:9": None}}, "finality.toy:9"),
        ({"finality": {"toy:1": [{"up_to": "5", "blocks": 1}]}}, "finality.toy:1.0.up_to"), ({"branding": {"color": "red"}}, "branding.color"),
        ({"finality": {"toy:1": [{"blocks": 0}]}}, "finality"), ({"embed_origins": ["javascript:alert(1)"]}, "embed_origins.0"),
        ({"id": "mer_x"}, "id"),
        ({"branding": {"support_url": "javascript:x"}}, "branding.support_url"),
    ],
)  # fmt: skip
async def test_a_preference_that_is_wrong_is_refused_with_the_name_of_the_field(web, changes, field):
    answer = await web.client.patch("/api/v1/merchant", json=changes, headers=web.auth)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["details"][0]["field"].startswith(field)


async def test_what_a_test_key_prefers_leaves_the_live_environment_alone(web):
    live = {"x-api-key": web.live_key}
    await web.client.patch("/api/v1/merchant", json={"tokens": [DOLLAR.id]}, headers=web.auth)
    assert (await web.client.get("/api/v1/merchant", headers=live)).json()["tokens"] == []
    answer = await web.client.patch("/api/v1/merchant", json={"tokens": [DOLLAR.id]}, headers=live)
    assert answer.json()["error"]["code"] == "unknown_asset"


async def test_what_can_be_paid_with_is_listed(web):
    for path, kind in (("/api/v1/tokens", offers.Token), ("/api/v1/chains", offers.Chain)):
        found = (await web.get(path)).json()["data"]
        assert found
        for each in found:
            conforms(each, kind)
    rate = (await web.get("/api/v1/rates", params={"base": COIN.id})).json()
    conforms(rate, offers.Rate)
    assert rate["rate"] == "2000"
    past = (await web.get("/api/v1/rates/history", params={"base": COIN.id})).json()["data"]
    assert [conforms(each, offers.PastRate).rate for each in past] == ["2000"]


async def test_a_live_key_sees_no_test_chain(web):
    for path in ("/api/v1/tokens", "/api/v1/chains", "/api/v1/wallets", "/api/v1/invoices"):
        assert (await web.client.get(path, headers={"x-api-key": web.live_key})).json()["data"] == []


async def test_a_currency_that_nobody_prices_is_the_callers_to_change(web):
    answer = await web.get("/api/v1/rates", params={"base": COIN.id, "quote": "EUR"})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == "quote"
    answer = await web.post("/api/v1/invoices", {"amount": "5", "currency": "EUR"})
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, "currency")


async def test_without_any_price_nothing_is_priced(web):
    web.prices.known.clear()
    answer = await web.post("/api/v1/invoices", {"amount_usd": "5"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "rates_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert [each["available"] for each in (await web.get("/api/v1/tokens")).json()["data"]] == [False, False]


async def test_a_webhook_lives_from_its_secret_to_its_end(web):
    answer = await web.post("/api/v1/webhooks", {"url": "https://93.184.216.34/hook", "enabled_events": ["invoice.*"], "environment": "devnet"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    conforms(made, webhooks.WebhookWithSecret)
    path = f"/api/v1/webhooks/{made['id']}"
    shown = (await web.get(path)).json()
    conforms(shown, webhooks.Webhook)
    changed = await web.client.patch(path, json={"description": "shop", "enabled_events": ["*"]}, headers=web.auth)
    assert changed.json()["description"] == "shop"
    rotated = (await web.post(f"{path}/rotate-secret")).json()
    assert rotated["secret"] != made["secret"]
    event = (await web.post(f"{path}/test")).json()
    conforms(event, webhooks.Event)
    assert (await web.get(f"/api/v1/events/{event['id']}")).json() == event
    (delivery,) = (await web.get(f"{path}/deliveries")).json()["data"]
    conforms(delivery, webhooks.Delivery)
    again = (await web.post(f"/api/v1/webhooks/deliveries/{delivery['id']}/redeliver")).json()
    assert again["state"] == "pending"
    replayed = (await web.post(f"{path}/replay", {"from": made["created_at"] - 1, "to": "2027-01-01T00:00:00Z"})).json()
    conforms(replayed, replays.Replay)
    (listed,) = (await web.get(f"{path}/replays")).json()["data"]
    found = (await web.get(f"/api/v1/webhooks/replays/{replayed['id']}")).json()
    assert (listed, found["count"]) == (found, 1)
    for act, state in (("stop", "stopped"), ("resume", "running")):
        answer = await web.post(f"/api/v1/webhooks/replays/{replayed['id']}/{act}")
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    gone = await web.client.delete(path, headers=web.auth)
    assert gone.json() == {"object": "webhook_endpoint", "id": made["id"], "deleted": True}
    assert (await web.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://127.0.0.1/", "enabled_events": ["*"]}, "url"),
        ({"url": "ftp://x", "enabled_events": ["*"]}, "url"),
        ({"url": "https://93.184.216.34/", "enabled_events": []}, "enabled_events"),
        ({"url": "https://93.184.216.34/", "enabled_events": ["invoice.lost"]}, "enabled_events"),
        ({"url": "https://93.184.216.34/", "environment": "live"}, "environment"),
        ({"url": "https://93.184.216.34/", "environment": "mainnet"}, "environment"),
    ],
)
async def test_a_webhook_that_is_wrong_is_refused_with_the_name_of_the_field(web, body, field):
    answer = await web.post("/api/v1/webhooks", body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_a_key_is_shown_once_and_revoked_for_good(web):
    answer = await web.post("/api/v1/api-keys", {"name": "till", "scopes": ["invoices:read"], "expires_in": 3600, "writes_per_minute": 5})
    assert answer.status_code == 201
    made = answer.json()
    conforms(made, api_keys.NewApiKey)
    assert made["key"].startswith("pepay_test_")
    listed = (await web.get("/api/v1/api-keys")).json()["data"]
    assert made["key"] not in json.dumps(listed)
    conforms(listed[0], api_keys.ApiKey)
    gone = await web.client.delete(f"/api/v1/api-keys/{made['id']}", headers=web.auth)
    assert gone.json()["revoked_at"] is not None
    assert (await web.client.delete(f"/api/v1/api-keys/{made['id']}", headers=web.auth)).status_code == 404


async def test_a_key_cannot_make_one_that_can_do_more(web):
    narrow = await web.new_key(scopes=("keys:write", "invoices:read"))
    answer = await web.client.post("/api/v1/api-keys", json={"name": "n", "scopes": ["invoices:write"]}, headers={"x-api-key": narrow})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    answer = await web.client.post("/api/v1/api-keys", json={"name": "n", "scopes": ["invoices:read"]}, headers={"x-api-key": narrow})
    assert answer.status_code == 201


async def test_a_key_lasts_ninety_days_or_as_long_as_was_asked_for(web):
    async def lifetime(**more):
        answer = await web.post("/api/v1/api-keys", {"name": "till", "scopes": ["invoices:read"], **more})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return made["expires_at"] and made["expires_at"] - (made["not_before"] or made["created_at"])

    begins = int(web.clock.now().timestamp()) + 60
    assert await lifetime() == await lifetime(expires_in=None) == 90 * 86_400
    assert await lifetime(expires_in="1h") == await lifetime(expires_in=3600) == await lifetime(expires_in=3600, not_before=begins) == 3600
    assert await lifetime(expires_in="90d", not_before="2027-01-01T00:00:00Z") == 90 * 86_400
    # The first key lasts for a year, and can make none that never expires.
    answer = await web.post("/api/v1/api-keys", {"name": "till", "scopes": ["invoices:read"], "expires_in": "never"})
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (403, "expires_in")
    lasting = await web.new_key(expires_in=None)
    made = await web.client.post(
        "/api/v1/api-keys", json={"name": "n", "scopes": ["invoices:read"], "expires_in": "never"}, headers={"x-api-key": lasting}
    )
    assert (made.status_code, made.json()["expires_at"]) == (201, None)
    for wrong in ("2d", "", 59, 1.5, True, "3600"):
        answer = await web.post("/api/v1/api-keys", {"name": "till", "scopes": ["invoices:read"], "expires_in": wrong})
        assert answer.status_code == 422, wrong


async def test_a_key_is_replaced_and_both_are_good_for_a_while(web):
    old = (await web.post("/api/v1/api-keys", {"name": "till", "scopes": ["merchant:read"], "expires_in": "30d"})).json()
    answer = await web.post(f"/api/v1/api-keys/{old['id']}/rotate", {"overlap": 60})
    assert answer.status_code == 201
    new = answer.json()
    conforms(new, api_keys.RotatedApiKey)
    assert (new["replaces"], new["scopes"]) == (old["id"], ["merchant:read"])

    async def codes():
        answers = [await web.client.get("/api/v1/merchant", headers={"x-api-key": each["key"]}) for each in (old, new)]
        return [answer.status_code for answer in answers]

    assert await codes() == [200, 200]
    await web.clock.advance(60)
    assert await codes() == [401, 200]
    assert (await web.post(f"/api/v1/api-keys/{old['id']}/rotate")).status_code == 404
    assert (await web.post(f"/api/v1/api-keys/{new['id']}/rotate", {"overlap": 604_801})).status_code == 422


async def test_a_key_that_is_not_valid_yet_says_so(web):
    made = (await web.post("/api/v1/api-keys", {"name": "till", "scopes": ["merchant:read"], "not_before": "2027-01-01T00:00:00Z"})).json()
    answer = await web.client.get("/api/v1/merchant", headers={"x-api-key": made["key"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "api_key_not_yet_valid")
