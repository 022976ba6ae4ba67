"""Sandboxes and settings that were there before us: of Multus and of others."""
