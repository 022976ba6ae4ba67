"""The node end to end: the real shim, a daemon process of its own, real namespaces and plugins."""
