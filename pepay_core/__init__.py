"""PePay: a self-hosted crypto payment gateway built from plugins."""

__version__ = "0.1.0"
