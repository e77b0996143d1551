"""Exchange rates from Coinbase, without a key."""
