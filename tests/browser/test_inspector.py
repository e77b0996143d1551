"""The webhook inspector: what was sent, what was answered, what is probably wrong, and sending it again."""

from __future__ import annotations

import pytest
from blackbox import until
from browsing import DESKTOP, PHONE


@pytest.fixture
def signed_in(pages, town):
    def enter(screen=DESKTOP):
        page = pages.open(f"{town.gateway.url.replace('127.0.0.1', 'localhost')}/app/webhooks", screen)
        page.page.get_by_label("Email").fill(town.gateway.made["admin"]["email"])
        page.page.get_by_label("Password").fill(town.gateway.made["admin"]["password"])
        page.click("Sign in")
        return page

    return enter


def test_a_failing_receiver_is_explained_and_the_event_sent_again(signed_in, town):
    town.shop.status = 502
    invoice = town.invoice("USDC")
    until(lambda: town.shop.types(invoice["id"]), "the webhook")
    page = signed_in()
    page.shows("Likely cause:")
    page.shows("A proxy in front of your server answered 502")
    for screen in (DESKTOP, DESKTOP.but(theme="dark"), PHONE):
        page.turn(screen)
        page.keep("inspector")
        page.axe()

    town.shop.status = 204
    page.turn(DESKTOP)
    before = len(town.shop.calls)
    page.click("Resend")
    page.shows("It is on its way again.")
    until(lambda: len(town.shop.calls) > before, "the webhook to come again")
    page.page.get_by_text("As curl, unsigned").click()
    page.shows("curl -i")


def test_the_receiver_of_the_sandbox_shows_what_came(pages, town):
    town.gateway.call("POST", "/x/sandbox/catch/mine", {"id": "evt_1"}, key=None, headers={"x-pepay-event": "invoice.paid"})
    page = pages.open(f"{town.gateway.url}/x/sandbox/catch/mine")
    page.shows("invoice.paid")
    page.axe()


SIMULATED = True
