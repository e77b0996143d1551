"""The hosted page: what a buyer sees, on any device and without scripts."""
