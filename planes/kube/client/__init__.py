"""Requests to an API server: who we are, how it is reached, and what its answers mean."""
