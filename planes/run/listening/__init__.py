"""A TCP port that strangers reach: whom it lets in, what each may hold, who goes when it is full.

May hold: sockets, TLS, HTTP connections and their bounds. May not hold: what is asked for.
"""
