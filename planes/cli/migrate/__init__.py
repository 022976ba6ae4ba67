"""`netplane migrate`: what of a Multus installation works as it is, and what does not.

May hold: reading of NADs, pods and Multus' settings, reports, proposals of planes. May not hold:
decisions, which are those of the webhook.
"""
