"""The use cases: what PePay does, on ports that storage and plugins fill."""
