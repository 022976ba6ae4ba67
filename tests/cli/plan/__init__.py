"""`netplane plan`, as people type it."""
