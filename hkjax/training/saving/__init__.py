"""A work directory: what is written, when, and how it is found whole again."""
