"""CNI plugin types carried out in this process instead of by a binary.

One module per type. Each takes the reference plugin's config keys and leaves the same result,
kernel state and files as the reference plugin, so that either can undo the other's work.
"""
