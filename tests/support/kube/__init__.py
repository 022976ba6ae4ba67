"""An API server in memory, and others that behave as tests script them."""
