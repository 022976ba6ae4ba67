"""Attacks that take a real API server; `make apiserver` runs them."""
