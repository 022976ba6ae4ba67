"""What the leader keeps right in the cluster: NADs and status of planes, marks of namespaces.

Level-triggered: a change names what has to be looked at, and looking compares what is with what
should be. Nothing depends on having seen a change, or on what an earlier run meant to do.
"""
