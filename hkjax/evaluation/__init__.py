"""Metrics, full ranking and reports of any `Recommender`."""
