"""Attacks that were seen to work, kept as tests that they fail now.

Each file and each test is named by who attacks: `tenant_…` (writes pods, NADs and labels in one
namespace), `peer_…` (reaches a port on the network), `node_…` (has the token of one node's
daemon), `local_…` (an unprivileged user of a node). What needs a real API server lies in
`apiserver`; what is measured rather than decided lies in `figures` and is run by `make attacks`.
"""
