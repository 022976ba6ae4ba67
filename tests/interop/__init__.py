"""Against the reference plugins and real clients."""
