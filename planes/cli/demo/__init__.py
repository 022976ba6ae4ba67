"""`netplane demo`: the main job for real on one machine, in namespaces that stand for nodes.

`stage` builds two nodes and the wires between them, `programs` runs the webhook and one daemon
per node, `acts` play what users do, `verdict` says what was proven and what was skipped. Nothing
here is a stand-in: the programs, the shim, TLS and the kernel are the real ones. Everything lives
in namespaces called `netplane-demo-…` and in one temporary folder, and goes with them.
"""
