"""The journal: entries on disk, the faults in them, and what errors learn from it."""
