"""Planes as administrators write them, the NADs rendered from them, and the policy for NADs.

A plane is parsed and checked here by itself, with its address policy and its blocks. No cluster
state is looked up here.
"""
