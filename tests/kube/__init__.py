"""Tests of the Kubernetes adapter, on an API server in memory."""
