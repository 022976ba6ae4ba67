"""Fakes at our own seams and fixtures that clean up after themselves."""
