"""The record on disk of what is attached: written before any plugin runs, read by every DEL."""
