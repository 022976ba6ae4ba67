"""Certificates: issue, verify, rotate, serve."""
