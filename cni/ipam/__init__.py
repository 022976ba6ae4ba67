"""IPAM types carried out in this process: `static`, `host-local` and `plane`; others by exec.

An IPAM type makes addresses, routes and DNS of a call and a netconf.
May hold: address files and the address book. May not hold: kernel work.
"""
