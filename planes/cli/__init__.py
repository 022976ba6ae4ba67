"""The `netplane` command: pods in standalone mode, explanations, the demo.

It talks to the webhook, the shim and the daemon the way kube-apiserver and a container runtime
do: over TLS, by exec, through files. It may not reach into `webhook` or `cni` internals.
"""
