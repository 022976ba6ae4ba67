"""The node runtime: verbs, journal, undo, recovery."""
