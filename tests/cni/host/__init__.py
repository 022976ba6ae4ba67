"""The node's operating system: containment of plugins, programs of another root, locks."""
