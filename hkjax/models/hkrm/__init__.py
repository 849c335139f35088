"""HKRM: which attribute fields matter to a user, and which to an item."""
