"""`netplane demo`: pods get their planes on one machine, with network namespaces as nodes.

`namespaces` makes two nodes and the wires between them. `programs` runs the webhook and one daemon
for each node. The modules `…_step` do what users do and check the outcome. `report` prints what was
proven, skipped and failed. Programs, shim, TLS and kernel are the real ones. Invariant: everything
is in namespaces called `netplane-demo-…` and one temporary folder, and is removed at the end.
"""
