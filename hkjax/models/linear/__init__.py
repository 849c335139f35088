"""Linear item models: a score is a sum over the items of a history."""
