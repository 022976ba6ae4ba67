"""Formats of CNI and the Network Plumbing Group: versions, netconfs, results, network-status.

They are read from and written to runtimes and plugins, in every version. Planes are not known here.
"""
