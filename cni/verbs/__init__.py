"""The CNI verbs: a handler for each, from a checked call to its stdout."""
