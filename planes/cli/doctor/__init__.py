"""`netplane doctor`: what is wrong with a node, why it matters and what mends it.

Facts are read by `facts`, and judged by `judging` without any I/O; a check here puts one of each
together. Invariant: nothing is changed on the node or the cluster but one file that is written
and removed to time the disk.
"""
