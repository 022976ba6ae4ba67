"""The daemon on a node of a cluster: a real API server, the real daemon, shim and kernel."""
