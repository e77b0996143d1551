"""Links that open wallet apps say what their makers document; whether the apps do it is for people with phones to try."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

from pepay_core.web.checkout.apps import app_links
from pepay_core.web.templating import STATIC

PAGE = "https://pay.example.com/pay/inv_1?token=a-b_c"
NATIVE = "eip155:137/slip44:966"
DEPOSIT = "0x7A58c0Be72BE218B41C608b7Fe7C5bB630736C71"


def links(chain, asset, page=PAGE):
    option = {"chain": chain, "asset": asset, "destination": DEPOSIT, "quote": {"amount_base_units": "25000000"}}
    return {each.name: each.url for each in app_links(option, page, {NATIVE})}


def test_the_apps_of_a_token_open_this_page_in_the_wallets_own_browser():
    found = links("eip155:137", "eip155:137/erc20:0xabc")

    assert found["MetaMask"] == "https://link.metamask.io/dapp/pay.example.com/pay/inv_1?token=a-b_c"
    assert parse_qs(urlsplit(found["Coinbase Wallet"]).query) == {"cb_url": [PAGE]}
    assert parse_qs(urlsplit(found["Trust Wallet"]).query) == {"coin_id": ["60"], "url": [PAGE]}
    assert "Phantom" not in found


def test_a_chains_own_coin_is_asked_for_with_its_amount():
    found = links("eip155:137", NATIVE)

    assert found["MetaMask"] == f"https://link.metamask.io/send/{DEPOSIT}@137?value=25000000"


def test_the_apps_of_solana_open_this_page_as_well():
    found = links("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/slip44:501")

    assert set(found) == {"Phantom", "MetaMask", "Trust Wallet"}
    phantom = urlsplit(found["Phantom"])
    assert (phantom.netloc, unquote(phantom.path)) == ("phantom.app", f"/ul/browse/{PAGE}")
    assert parse_qs(phantom.query) == {"ref": ["https://pay.example.com"]}
    assert parse_qs(urlsplit(found["Trust Wallet"]).query)["coin_id"] == ["501"]


def test_there_are_none_where_no_app_could_follow():
    assert links("eip155:137", NATIVE, page="http://localhost:8000/pay/inv_1?token=x") == {}
    assert links("bip122:000000000019d6689c085ae165831e93", "bip122:000000000019d6689c085ae165831e93/slip44:0") == {}


def test_they_are_for_those_who_point_with_a_finger():
    sheet = (STATIC / "checkout.css").read_text()

    assert re.search(r"\.apps\{display:none\}@media \(pointer:coarse\)\{\.apps\{display:grid\}\}", sheet)
