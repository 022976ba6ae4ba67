"""Attaching and detaching on fakes: order, undo, and how long one try may take."""
