"""Tests against a real API server and, further up, a real cluster of two nodes."""
