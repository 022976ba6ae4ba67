"""The current state: planes and NADs as a catalog, claims of addresses, and the status of planes.

Immutable snapshots; a change makes the next one. Parsed annotations and their static addresses are
cached here (`annotation_cache`). No pod is admitted or refused here.
"""
