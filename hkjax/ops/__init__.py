"""Operations of models: sums over edges, lookups and random draws, as functions of whole arrays."""
