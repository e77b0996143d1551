"""What a plugin implements: one abstract class per file."""
