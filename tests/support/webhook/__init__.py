"""Webhooks of tests: real ones on loopback, and scripted ones."""
