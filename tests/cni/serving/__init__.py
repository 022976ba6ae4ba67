"""The daemon's socket: listener, protocols, requests, locks of calls, and the spool."""
