"""Forms of operations that one platform prefers, and the loops and generators that they share."""
