"""Certificates: issue, verify, decide the next rotation step, serve without a restart.

`policy` decides from facts and a time given to it; `issue` makes keys; `serving` swaps TLS
contexts in a running listener. May not hold: webhook routes or Kubernetes clients.
"""
