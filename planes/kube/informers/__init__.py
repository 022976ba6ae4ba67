"""Informers: list and watch objects, tell handlers of them, and cache values of them."""
