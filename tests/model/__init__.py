"""Facts about the pure model."""
