"""HKRM: the attribute fields that matter to a user, and to an item."""
