"""Reconcile journal, addresses and sandboxes in the background, beside the calls."""
