"""Recovery, orphans, own addresses, and dropping what cannot be detached."""
