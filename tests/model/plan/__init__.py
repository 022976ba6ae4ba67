"""Network plans: read, checked, written and compared."""
