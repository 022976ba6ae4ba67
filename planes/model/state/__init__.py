"""What is known now: planes and NADs as a catalog, and who claims which address.

Immutable snapshots; a change makes the next one. Readings of annotations are remembered here
(`texts`), with the static addresses they lead to. No pod is admitted or refused here.
"""
