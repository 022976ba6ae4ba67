"""Annotations of pods: network selections in both syntaxes, and the record of injected ones.

Reading an author's annotation never raises but returns findings. Static addresses are read in
`planes.model.state.static_ips`, the default network in `planes.model.decide.default_network`.
"""
