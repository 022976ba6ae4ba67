"""The store of a cluster: what it offers, and what it writes back."""
