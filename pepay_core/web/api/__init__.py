"""The REST API: one file per resource, its objects beside it."""
