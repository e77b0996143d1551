"""A deterministic simulator: one seed decides everything, and the real services run in it. See ``docs/explanation/simulation.md``."""
