"""Models as `Recommender`s, and the registry that knows them."""
