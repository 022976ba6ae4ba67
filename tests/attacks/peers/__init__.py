"""Peers of a port who mean harm: each attack as a coroutine that goes on until it is cancelled.

May hold: what such a peer sends. May not hold: what is measured or expected meanwhile.
"""
