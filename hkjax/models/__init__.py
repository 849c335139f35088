"""Models as `Recommender`s, and the registry that lists them."""
