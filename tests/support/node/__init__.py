"""Nodes of tests: namespaces, daemons as processes, the real shim."""
