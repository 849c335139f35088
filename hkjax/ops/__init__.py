"""What models are made of: sums over edges, lookups and draws, as functions of whole arrays."""
