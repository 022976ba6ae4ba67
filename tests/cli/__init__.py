"""The netplane command as a user runs it."""
