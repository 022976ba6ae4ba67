"""The sysctls that a plane can set: those that each network namespace has for itself.

The reference plugin `tuning` writes below /proc/sys/net of the pod. A sysctl of the node does not
exist there, or cannot be written, so every ADD would fail. An administrator may restrict sysctls
further on a node (tuning's /etc/cni/tuning/allowlist.conf).

Both patterns are in the CRD as well. Source: what a new network namespace of Linux 6.x shows in
/proc/sys/net and lets root write (`tests/net/test_plane_sysctls.py` compares).
"""

from __future__ import annotations

import re
from typing import Final

OF_A_POD: Final = (
    r"^net\.(core\.(somaxconn|optmem_max|txrehash|xfrm_[a-z_]+)"
    r"|ipv[46]\.[a-z0-9_]+"
    r"|ipv[46]\.(conf|neigh)\.[^./\s]+\.[a-z0-9_]+"
    r"|ipv4\.route\.(flush|min_adv_mss|min_pmtu|mtu_expires)"
    r"|ipv6\.(route|icmp)\.[a-z0-9_]+"
    r"|netfilter\.nf_conntrack_[a-z0-9_]+"
    r"|unix\.max_dgram_qlen"
    r"|(mptcp|sctp|mpls)\.[a-z0-9_]+)$"
)
"""Names of the form of a pod's sysctls."""

OF_THE_NODE: Final = (
    r"^net\.(ipv4\.(cipso_.*|fib_sync_mem|inet_peer_.*|ipfrag_secret_interval|tcp_available_.*"
    r"|tcp_allowed_congestion_control|tcp_ehash_entries|udp_hash_entries|tcp_low_latency"
    r"|tcp_max_orphans|tcp_mem|udp_mem)"
    r"|ipv6\.(calipso_.*|ip6frag_secret_interval|mld_.*)"
    r"|ipv[46]\.neigh\.default\..*"
    r"|ipv[46]\.conf\..*\.mc_forwarding"
    r"|mptcp\.available_.*"
    r"|netfilter\.nf_conntrack_(buckets|count|expect_max|max))$"
)
"""Names of that form that are the node's all the same, or that cannot be written."""

_OF_A_POD: Final = re.compile(OF_A_POD)
_OF_THE_NODE: Final = re.compile(OF_THE_NODE)


def is_of_a_pod(name: str) -> bool:
    """Report whether each pod has a sysctl for itself, and can write it."""
    return _OF_A_POD.fullmatch(name) is not None and _OF_THE_NODE.fullmatch(name) is None
