"""CNI plugin types carried out in this process instead of by a binary.

One module per type. Each reads the netconf of the reference plugin and makes the same result,
kernel state and files, so that each can DEL what the other has made.
May hold: plugin types and what they share. May not hold: planes, policy, the journal.
"""
