"""How the daemon is put together: what its metrics show."""
