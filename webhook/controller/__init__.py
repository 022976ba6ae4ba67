"""The leader's controller: it reconciles NADs and status of planes, and labels of namespaces.

Level-triggered: a change adds a key to a work queue, and reconciling the key compares what is with
what should be. Nothing depends on having seen a change, or on what an earlier leader has begun.
"""
