"""The `netplane` command: pods in standalone mode, explanations, the demo.

It uses the webhook, the shim and the daemon as kube-apiserver and a container runtime do: over
TLS, by exec, through files. Invariant: it imports nothing of `webhook` or `cni`.
"""
