"""A buyer presses the button of a wallet in the browser, and the page takes the payment from there to the end."""

from __future__ import annotations

import pytest
from blackbox import until
from playwright.sync_api import expect
from purses import METHODS, UNDERWAY, wallet_for

from pepay_core.testing.wallets import EthereumWallet, SolanaWallet


def opened(pages, town, method, **options):
    """Return an invoice, its page, and a wallet in the page's browser."""
    invoice = town.invoice(method)
    page, wallet = pages.new(), wallet_for(town, method, **options)
    wallet.put_into(page.page)
    page.open(invoice["payment_url"])
    return invoice, page, wallet


@pytest.mark.parametrize("method", METHODS)
def test_a_payment_by_wallet_reaches_paid_without_a_reload(pages, town, method):
    invoice, page, wallet = opened(pages, town, method)
    page.value("window.before = 1")

    page.click(wallet.name)
    page.has(UNDERWAY)
    town.settle(method)

    page.shows("Payment complete")
    assert page.value("window.before") == 1
    (payment,) = town.gateway.get(f"/api/v1/invoices/{invoice['id']}")["payments"]
    assert payment["amount_base_units"] == town.option(invoice, method)["quote"]["amount_base_units"]
    page.keep(f"wallet-paid-{method}")


def told(page, text):
    """Wait until the page says something beside its buttons, to those who cannot see it as well."""
    expect(page.page.get_by_role("status").filter(has_text=text)).to_be_visible()


@pytest.mark.parametrize("method", ["USDC", "USDC-SOL"])
def test_who_says_no_is_told_that_nothing_was_sent_and_can_try_again(pages, town, method):
    invoice, page, wallet = opened(pages, town, method, refuses=("eth_sendTransaction", "solana:signAndSendTransaction"))

    page.click(wallet.name)

    told(page, "nothing was sent")
    expect(page.page.get_by_role("button", name=wallet.name)).to_be_enabled()
    page.keep(f"wallet-rejected-{method}")
    assert town.gateway.status_of(invoice) == "unpaid"


def test_a_wallet_on_another_network_is_led_to_the_right_one(pages, town):
    _, page, wallet = opened(pages, town, "USDC", at=1)

    page.click(wallet.name)

    page.has(UNDERWAY)
    assert asked(wallet) == ["eth_requestAccounts", "wallet_switchEthereumChain", "eth_sendTransaction"]


def test_a_wallet_is_given_the_network_that_it_does_not_know(pages, town):
    _, page, wallet = opened(pages, town, "USDC", at=1, chains=(1,))

    page.click(wallet.name)

    page.has(UNDERWAY)
    switch = "wallet_switchEthereumChain"
    assert asked(wallet) == ["eth_requestAccounts", switch, "wallet_addEthereumChain", switch, "eth_sendTransaction"]
    (added,) = dict(wallet.requests)["wallet_addEthereumChain"]
    assert (added["chainName"], added["rpcUrls"]) == ("Dev", ["https://rpc.dev.example"])


def asked(wallet):
    return [each for each in wallet.asked if each != "eth_chainId"]


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("USDC", {"at": 1, "refuses": ("wallet_switchEthereumChain",)}, "nothing was sent"),
        ("USDC", {"at": 1, "chains": (1,), "refuses": ("wallet_addEthereumChain",)}, "nothing was sent"),
        ("USDC", {"refuses": ("eth_requestAccounts",)}, "nothing was sent"),
        ("USDC", {"locked": True}, "Your wallet is locked"),
        ("USDC-SOL", {"locked": True}, "Your wallet is locked"),
        ("SOL", {"chains": ("solana:mainnet",)}, "Your wallet does not know Local Solana"),
        ("USDC", {"lacks": ("eth_chainId",)}, "said nothing that helps"),
    ],
)
def test_what_a_wallet_does_not_do_is_said_in_words_and_nothing_is_sent(pages, town, method, options, words):
    _, page, wallet = opened(pages, town, method, **options)

    page.click(wallet.name)

    told(page, words)
    assert not {"eth_sendTransaction", "wallet_sendCalls", "solana:signAndSendTransaction"} & set(wallet.asked)


def test_a_wallet_without_money_is_told_from_one_that_says_no(pages, town):
    poor = "0x" + "0f" * 20
    town.node.rpc("anvil_impersonateAccount", poor)
    wallet = EthereumWallet(account=poor, rpc=town.node.url)
    page = pages.new()
    wallet.put_into(page.page)
    page.open(town.invoice("ETH")["payment_url"])

    page.click(wallet.name)

    told(page, "This wallet has not enough ETH on Dev")


def test_a_wallet_without_the_token_is_told_what_it_has(pages, town):
    wallet = SolanaWallet(key=town.cluster.wallet(), rpc=town.cluster.url)
    page = pages.new()
    # A refusal of the server is one line in the browser's console.
    page.watch.forgive("422")
    wallet.put_into(page.page)
    page.open(town.invoice("USDC-SOL")["payment_url"])

    page.click(wallet.name)

    told(page, "this wallet has 0 USDC")


def test_a_smart_account_pays_by_a_batch_of_calls(pages, town):
    invoice, page, wallet = opened(pages, town, "USDC", lacks=("eth_sendTransaction",))

    page.click(wallet.name)
    # The page is asked as well, as its questions are answered only while somebody listens.
    until(lambda: page.value("true") and "wallet_getCallsStatus" in wallet.asked, "the batch to be sent")
    town.settle("USDC")

    page.shows("Payment complete")
    assert town.gateway.status_of(invoice) == "paid"


def test_wallets_of_other_chains_are_not_offered_and_a_wallet_that_comes_late_is(pages, town):
    invoice = town.invoice("USDC")
    page, solana, late = pages.new(), wallet_for(town, "SOL"), wallet_for(town, "USDC", name="Evening")
    solana.put_into(page.page)
    page.page.expose_function(late.bridge, late.answer)
    page.open(invoice["payment_url"])
    page.shows("Send exactly")
    expect(page.page.get_by_role("button", name=late.name)).to_have_count(0)

    page.value(f"void {late.script}")
    page.click("Evening")

    page.has(UNDERWAY)
    expect(page.page.get_by_role("button", name=solana.name)).to_have_count(0)


def test_the_keyboard_is_enough_and_keeps_its_place(pages, town):
    _, page, wallet = opened(pages, town, "USDC", refuses=("eth_sendTransaction",))
    page.page.get_by_role("button", name=wallet.name).focus()

    page.page.keyboard.press("Enter")

    told(page, "nothing was sent")
    expect(page.page.get_by_role("button", name=wallet.name)).to_be_focused()
