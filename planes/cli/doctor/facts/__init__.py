"""What a check reads of a node or a cluster, as values: no judgement.

Every read has a bound, and does not wait for what others may have put in the place of a file.
"""
