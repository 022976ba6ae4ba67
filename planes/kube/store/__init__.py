"""The store of a cluster: caches of watched objects, and writes to the API server."""
