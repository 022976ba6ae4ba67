"""The daemon's unix socket: the protocols of the shim and of Multus, calls, and the spool of DELs.

Bytes become checked calls, and errors become answers. Nothing here knows pods or the kernel.
"""
