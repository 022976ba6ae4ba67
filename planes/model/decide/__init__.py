"""The one decision and its parts: which planes a pod gets, and everything that is wrong.

`decision` puts the parts together, in order; each other module checks or fills one concern.
"""
