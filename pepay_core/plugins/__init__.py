"""The machinery: which plugins exist, which may enter, what they contribute, and what became of them."""
