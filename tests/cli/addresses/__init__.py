"""The commands of `netplane ip` that answer questions about addresses."""
