"""Where planes, NADs, namespaces and pods come from, and where status, events, addresses go.

`protocol` is the seam; `DirStore` implements it over a directory of manifests (standalone mode).
A Kubernetes implementation lives in `planes.kube`. Nothing above the protocol knows which runs.
"""
