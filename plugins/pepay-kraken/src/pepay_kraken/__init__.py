"""Exchange rates from Kraken, without a key."""
