"""Settings chosen on the validation part: of a model before it trains, and of its rivals in a report."""
