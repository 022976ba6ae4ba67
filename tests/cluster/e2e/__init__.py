"""Netplane whole, on a cluster of two nodes: what a user does, and what goes wrong on the way."""
