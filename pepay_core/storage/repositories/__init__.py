"""The ports of services, filled: each repository works in one unit of work."""
