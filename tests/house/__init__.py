"""The rules of the house: sizes, layers, charters, links."""
