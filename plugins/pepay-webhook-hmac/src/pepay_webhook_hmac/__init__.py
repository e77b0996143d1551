"""Signed webhooks: Standard Webhooks and X-Pepay-Signature."""
