"""Accept payments on Ethereum and every other EVM network."""
