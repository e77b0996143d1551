"""The page in every state of an invoice."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pepay_core.services.revisions import Networks, revision
from pepay_core.web.checkout.states import State

ADDRESS = "0x7A58c0Be72BE218B41C608b7Fe7C5bB630736C71"
ASKING = {"awaiting", "underpaid", "wrong"}
MOVING = {"detected", "confirming", "submitted", "checking"}
SETTLED = {"nothing", "choose", "paid", "overpaid", "canceled", "accepted", "refunded", "closed"}


class Words(HTMLParser):
    """What is to be read on a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_data(self, data):
        self.found.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.found).split())


def test_every_state_is_shown_in_its_own_words(samples, example):
    state, invoice = example
    view = samples.view(**invoice)
    assert view.state == state
    text = Words(samples.page(**invoice)).text
    assert " ".join(str(view.title).split()) in text
    assert "{" not in text
    assert "Acme" in text


def test_no_state_is_left_out(examples):
    assert set(examples) == set(State)


def test_an_address_is_shown_where_it_is_to_be_paid_and_nowhere_else(samples, example):
    state, invoice = example
    page = samples.page(**invoice)
    assert (f'data-copy="{ADDRESS}"' in page) is (state in ASKING)
    assert (ADDRESS in page) is (state in ASKING)


def test_a_page_without_scripts_looks_again_while_something_can_happen(samples, example):
    state, invoice = example
    seconds = 5 if state in MOVING else None if state in SETTLED else 15 if state in {"awaiting", "underpaid"} else 60
    assert samples.view(**invoice).refresh == seconds
    assert ('http-equiv="refresh"' in samples.page(**invoice)) is (seconds is not None)


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"status": "processing", "payments": ["confirmations_required"]}, "detected"),
        ({"status": "paid", "timing": "late", "fulfil": True}, "paid"),
        ({"status": "underpaid", "resolution": "pending", "timing": "late", "amount_remaining": "0.00"}, "late"),
        ({"status": "expired", "resolution": "pending", "timing": "late", "amount_remaining": "5.00"}, "partial"),
        ({"status": "underpaid", "payment_options": ["over"]}, "requote"),
    ],
)
def test_mixed_cases_are_shown_as_what_the_buyer_has_to_know(samples, changed, state):
    if changed.get("payments"):
        changed = {**changed, "payments": [samples.payment(confirmations_required=None)]}
    if changed.get("payment_options"):
        changed = {**changed, "payment_options": [samples.option(quote={"amount": "5.00", "rate": "1", "valid_until": samples.now})]}
    assert samples.view(**changed).state == state


def test_a_part_that_was_paid_is_told_in_the_coin_that_was_sent(samples, examples):
    text = Words(samples.page(**examples["underpaid"])).text
    assert "5.00 USDC still to pay" in text
    assert "We received 20.00 of 25.00 USDC." in text
    assert "Remaining amount" in text


def test_confirmations_are_counted_by_the_payment_that_has_the_furthest_to_go(samples):
    payments = [samples.payment(confirmations=12), samples.payment(confirmations=3), samples.payment(status="confirmed", confirmations=40)]
    page = samples.page(status="processing", payments=payments)
    assert 'aria-valuemax="12" aria-valuenow="3" aria-valuetext="3 of 12"' in page
    assert page.count('class="done"') == 3 + 2
    assert "About 2 minutes left" in page


def test_many_confirmations_are_one_bar(samples):
    page = samples.page(status="processing", payments=[samples.payment(confirmations=40, confirmations_required=128)])
    assert '<progress class="bar" max="128" value="40"' in page


def test_another_coin_on_another_network_is_named(samples):
    text = Words(
        samples.page(resolution="pending", payments=[samples.payment(asset=samples.sol, symbol="SOL", mismatch="wrong_asset", amount="1")])
    ).text
    assert "We see 1 SOL on Solana; this order asked for 25.00 USDC on Ethereum." in text


def test_a_network_in_trouble_is_told_with_a_way_out_while_nothing_was_sent(samples):
    troubled = Networks({name: replace(each, troubled=True) for name, each in samples.view().networks.items()})
    several = [samples.option(), samples.unchosen(asset=samples.eth, symbol="ETH")]
    assert "choose another way to pay" in samples.page(networks=troubled, payment_options=several)
    sent = samples.page(networks=troubled, status="processing", payments=[samples.payment()], payment_options=several)
    assert "Ethereum is slow right now" in sent
    assert "choose another way to pay" not in sent
    assert "slow right now" not in samples.page(networks=troubled, status="paid", fulfil=True)


def test_links_hand_on_the_language_and_the_frame_and_nothing_that_was_not_asked_for(samples):
    assert samples.view().here == f"/pay/inv_{'0' * 26}?token=token"
    assert samples.view(visit={"asked_language": "de"}).here.endswith("?token=token&lang=de")


def test_a_token_of_an_evm_network_has_its_bare_address_in_front_and_everything_else_the_amount(samples):
    def kinds(**changed):
        return [each.kind for each in samples.view(payment_options=[samples.option(**changed)]).codes]

    assert kinds() == ["address", "amount", "page"]
    assert kinds(asset=samples.eth) == ["amount", "address", "page"]
    assert kinds(asset=samples.sol, chain="solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", reference="ref") == ["amount", "page"]
    assert kinds(payment_uri=None) == ["address", "page"]
    assert next(iter(samples.view(branding={"code": "amount"}).codes)).kind == "amount"


def test_the_price_is_counted_down_at_the_end(samples):
    soon = samples.option(quote={"amount": "1", "amount_base_units": "1", "rate": "1", "valid_until": samples.now + 125})
    assert 'class="note centred quiet locked urgent"' in samples.page(payment_options=[soon])
    assert ">2:05</bdi>" in samples.page(payment_options=[soon])
    assert "urgent" not in samples.page()


def test_the_revision_on_the_page_is_the_one_that_streams_tell(samples):
    view = samples.view()
    assert view.revision == revision(samples.invoice(), view.networks, samples.now)
    assert view.revision != samples.view(version=2).revision
    assert view.revision != samples.view(expires_at=samples.now).revision


def test_nothing_on_any_page_is_inline_or_somebody_elses(samples, example):
    _, invoice = example
    page = samples.page(**invoice)
    assert not re.search(r"\s(style|on[a-z]+)=", page)
    assert not re.search(r"<(style|script)(?![^>]* src=\"/static/)", page)
    # Links are for the buyer to follow; what a page loads by itself is ours.
    loaded = re.findall(r'<(?!a\b)[a-z]+[^>]* (?:src|srcset|href|action|poster)="([^"]*)"', page)
    assert loaded
    assert {each.split("/")[1] for each in loaded} <= {"static", "pay", "theme"}


def test_a_payment_that_the_network_took_back_is_told_until_it_has_come_again(samples):
    gone = samples.payment(status="reverted")
    text = Words(samples.page(payments=[gone])).text
    assert "The network took a payment back" in text
    assert "25.00 USDC was seen, and is gone again" in text
    assert "The network took a payment back" in samples.view(payments=[gone]).told
    part = samples.payment(status="confirmed", transaction="0x01")
    assert "took a payment back" in samples.page(status="underpaid", payments=[part, gone])
    for there in (samples.payment(), samples.payment(transaction="0x02")):
        assert "took a payment back" not in samples.page(status="processing", payments=[gone, there])
    assert "took a payment back" not in samples.page(status="paid", fulfil=True, payments=[gone, samples.payment(status="confirmed")])


def test_exchanges_are_named_where_they_can_pay(samples):
    known, own, solana = (
        samples.unchosen(),
        samples.unchosen(chain="eip155:31337", network="Dev"),
        samples.unchosen(asset=samples.sol, chain="solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"),
    )
    assert samples.page(payment_options=[known, own, solana]).count("From an exchange too") == 1
    assert "From an exchange too" not in samples.page(payment_options=[own, solana])
    assert "From an exchange too" not in samples.page(payment_options=[known | {"available": False, "unavailable_reason": "no_rate"}, own])


def test_a_price_that_has_run_out_is_shown_nowhere(samples):
    ran_out = samples.page(payment_options=[samples.option(quote={"amount": "0.01667", "rate": "3000", "valid_until": samples.now})])
    assert "Get a new price" in ran_out
    assert not [each for each in ("0.01667", "3,000", "Exchange rate") if each in ran_out]


def test_what_is_priced_in_a_coin_has_no_rate(samples):
    priced = {"amount": "25.00", "currency": samples.usdc}
    assert "Exchange rate" not in samples.page(**priced)
    assert "= <bdi" not in samples.page(**priced)
    assert "Exchange rate" in samples.page()
