"""Real kernel namespaces; each test leaves the machine as it found it."""
