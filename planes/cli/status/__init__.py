"""What `netplane status` says: whether all of Netplane is well, on a cluster or on one machine.

`cluster_facts` are values that `gathering` reads from a cluster, `machine` those of one machine.
`judging` makes faults of them, each with its remedy, and `printing` prints both. `command` has the
words, and waits until all is well.
"""
