"""Local chains, a test wallet and a demo shop: what `pepay demo` runs on."""
