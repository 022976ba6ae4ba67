"""The daemon's door: the unix socket, the shim's protocol and Multus', calls, the spool.

Turns bytes into checked calls and errors into answers. Knows nothing of pods and kernels.
"""
