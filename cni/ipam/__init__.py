"""IPAM types carried out in this process: `static`, `host-local` and `plane`; others by exec.

An IPAM turns a call and a netconf into addresses and routes; it never touches the kernel.
"""
