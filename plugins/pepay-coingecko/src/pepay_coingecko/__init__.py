"""Exchange rates from CoinGecko."""
