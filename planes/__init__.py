"""What both programs share: the model, process plumbing, stores, the Kubernetes adapter, the CLI.

Layers, lowest first: `planes.model`, `planes.run`, `planes.store`, `planes.kube`, and on top of
everything `planes.cli`. Nothing here imports `webhook` or `cni`.
"""
