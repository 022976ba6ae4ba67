"""What webhook and node runtime share, and the command `netplane`.

From the bottom: `planes.model` (values and decisions), `planes.run` (process plumbing),
`planes.store` (where cluster state comes from), `planes.kube` (the Kubernetes adapter). On top of
all programs stands `planes.cli`. Invariant: nothing in this package imports `webhook` or `cni`.
"""
