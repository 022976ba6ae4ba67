"""Netlink, network namespaces and sysctls: the only importer of pyroute2.

Functions here are synchronous and run in worker threads (a netlink request is carried out inside
`send`, so it would stall an event loop). Errors of the kernel leave as `PlanesError`.
"""
