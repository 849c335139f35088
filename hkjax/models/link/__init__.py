"""LINK: linear item neighbourhoods with knowledge."""
