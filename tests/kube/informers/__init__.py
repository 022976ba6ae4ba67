"""Reflectors and caches on an API server in memory."""
