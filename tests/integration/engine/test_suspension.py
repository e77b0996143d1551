"""A merchant that is suspended begins nothing new, and loses no money."""

from __future__ import annotations

import pytest
from engines import ETH

from pepay_core.domain.errors import MerchantSuspended
from pepay_core.services.recording import operator


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_what_buyers_owe_a_suspended_merchant_is_still_watched_and_credited(pepay):
    invoice = await pepay.invoice(pay_with=ETH)
    await pepay.runtime.people.platform.suspend(operator(), pepay.caller.merchant)

    with pytest.raises(MerchantSuspended):
        await pepay.invoice()
    pepay.pay(invoice, "ETH")
    pepay.mine()
    await pepay.look()

    paid = await pepay.get(invoice)
    assert (paid["status"], paid["fulfil"]) == ("paid", True)
    assert (await pepay.events(invoice))[-1] == "invoice.paid"
    await pepay.runtime.people.platform.resume(operator(), pepay.caller.merchant)
    assert (await pepay.invoice())["status"] == "unpaid"
