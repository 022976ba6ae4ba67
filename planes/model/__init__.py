"""Values and pure decisions: what a plane is, who joins it, what the CNI wire formats mean.

May hold: immutable values, parsing, formatting, decisions. May not hold: I/O, a clock, logging,
randomness or anything asynchronous (held by import-linter). Every function here gives the same
output for the same input.
"""
