"""Certificates: issue them, verify them, rotate them in steps, serve them without a restart.

`policy` decides the next step from facts and a time; `rotate` carries steps out through an
authority: a directory (`standalone`) or a Secret with webhook configurations (`cluster`); `serving`
swaps the TLS context of a running listener. May not hold: webhook routes. Only `cluster`,
`ca_bundles`, `replicas` and `managed` use the Kubernetes API.
"""
