"""Wallets for tests of pages: what a browser's extensions are to a page, without an extension.

A wallet here is a script that stands in a page before the page's own, and speaks as the standards say (EIP-1193 and EIP-6963, Wallet
Standard). What needs a key or a chain it asks of a function of the page, behind which a node or a key of the test stands::

    wallet = EthereumWallet(account=account, rpc=anvil.url)
    wallet.put_into(page)  # a page of Playwright, before it is opened
    page.goto(invoice["payment_url"])
    page.get_by_role("button", name=wallet.name).click()
    assert "eth_sendTransaction" in wallet.asked
"""

from pepay_core.testing.wallets.ethereum import EthereumWallet
from pepay_core.testing.wallets.solana import SolanaWallet

__all__ = ["EthereumWallet", "SolanaWallet"]
