"""The node runtime: serves CNI calls, attaches sandboxes to their networks, undoes what failed.

A call comes in through `cni.serving` and is carried out by `cni.verbs`: planned in
`cni.planning`, recorded in `cni.journal`, attached in `cni.attaching`. Conflists run in
`cni.plugins`, by native types (`cni.native`, kernel work in `cni.net`) or by binaries.
Invariant: no admission here, and no import of `webhook`.
"""
