"""A small shop that takes payments through PePay."""
