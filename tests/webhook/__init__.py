"""Admission over real TLS."""
