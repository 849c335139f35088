"""The forms of operations that one platform prefers, and the loops and generators they share."""
