"""CNI and network-plumbing formats: versions, netconfs, results, network-status.

What is read from and written to runtimes and plugins, every version of it. Knows no planes.
"""
