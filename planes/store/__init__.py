"""The store: reads planes, NADs, namespaces and pods; writes network-status, events and addresses.

`protocol` is the interface. `DirStore` implements it over a directory of manifests (standalone
mode), `planes.kube` over the API server; no user of the interface knows which one it has.
May hold: the interface and what is kept in files. May not hold: a Kubernetes client, CNI,
admission.
"""
