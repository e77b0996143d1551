from __future__ import annotations


async def test_an_invoice_is_created_and_read_back(web):
    invoice = await web.invoice(description="Order 1042", metadata={"n": 0})
    assert invoice["status"] == "unpaid"
    assert invoice["amount"] == "49.99"
    again = await web.get(f"/api/v1/invoices/{invoice['id']}")
    assert again.status_code == 200
    assert again.json() == invoice
