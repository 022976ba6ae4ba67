"""Leader election: one leader at most."""
