"""The demo: a PePay server, a shop that uses its API, a receiver of its webhooks and a wallet that pays, all on this machine."""
