"""The controller over an API server in memory."""
