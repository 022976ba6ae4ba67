"""Values and pure decisions: planes, pods and NADs, the state of a cluster, and CNI formats.

Rooms, from top to bottom: `decide`, `state`, `annotations`, `spec`, `wire`; modules beside them are
used by all. May hold: immutable values, parsing, formatting, decisions. May not hold: I/O, a clock,
logging, randomness or anything asynchronous (checked by import-linter). The same input always gives
the same output.
"""
