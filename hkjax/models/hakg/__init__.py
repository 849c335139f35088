"""HAKG: a knowledge graph propagated in hyperbolic space."""
