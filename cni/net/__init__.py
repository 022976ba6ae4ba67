"""Netlink, network namespaces and sysctls: the only importer of pyroute2.

`Kernel` is the entry: its methods are awaited, and run in worker threads (the kernel carries out a
netlink request inside `send`, which would stall an event loop). All else here is synchronous and
runs in such a thread. Errors of the kernel are raised as `PlanesError`.
May hold: kernel state, read and changed. May not hold: CNI, planes, policy.
"""
