"""The composition of the daemon: `parts.compose` makes all collaborators, one module per room."""
