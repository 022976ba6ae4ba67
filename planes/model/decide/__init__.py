"""The one decision and its parts: which planes a pod gets, and everything that is wrong.

`decision` runs the parts in order; each other module drafts or checks one aspect of a pod, a
workload or a NAD.
"""
