"""Stores over real directories."""
