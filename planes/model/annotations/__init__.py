"""What a pod's annotations say, and how ours are written.

Network selections in both syntaxes, static addresses, the default network, the record of what was
injected. Reading never raises for what an author wrote: it gives findings.
"""
