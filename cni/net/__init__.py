"""Netlink, network namespaces and sysctls: the only importer of pyroute2.

`Kernel` is the way in: its methods are awaited and carried out by worker threads (a netlink
request is carried out inside `send`, so it would stall an event loop). All else here is
synchronous and runs in such a thread. Errors of the kernel leave as `PlanesError`.
"""
