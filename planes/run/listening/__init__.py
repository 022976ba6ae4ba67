"""A TCP port that anybody can reach: its listener, its peers and their bounds, HTTP and TLS.

May hold: sockets, TLS, HTTP connections and their bounds. May not hold: what requests mean.
"""
