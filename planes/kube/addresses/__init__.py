"""Addresses of planes on a cluster: blocks of nodes, and static addresses."""
