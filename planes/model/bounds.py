"""Bounds of one pod, one NAD and one namespace, which limit the cost of hostile objects.

With these, annotations of the 256 KiB that Kubernetes allows are decided in a few milliseconds.
Counts are checked before elements are read. Ranges of addresses are never walked: their n-th
address is computed, and a search looks up a bounded number.
"""

from __future__ import annotations

from typing import Final

MAX_ELEMENTS: Final = 32
"""Networks of one pod: more interfaces than any pod has use for."""
MAX_MEMBERS: Final = 64
"""Members of one element: the format has 13."""
MAX_IPS: Final = 16
"""Addresses, or gateways, of one element: a plane gives one of each family."""
MAX_IPS_OF_POD: Final = 64
"""Addresses of all elements together: each is compared with planes, ranges and claims."""
MAX_PORTS: Final = 64
"""Port mappings of one element; each becomes several packet filter rules on the node."""
MAX_STATIC_PLANES: Final = 64
"""Planes with static addresses: twice what a pod can be attached to."""
MAX_STATIC_ENTRIES: Final = 256
"""Entries of static addresses in all; a range or a CIDR says more with one."""
MAX_CANDIDATES: Final = 256
"""Addresses of a family from which the node takes the first free one."""
MAX_LOOKED_AT: Final = 512
"""Addresses looked up in search of a free one."""
MAX_LOOKED_AT_OF_POD: Final = 1024
"""The same for all static lists of a pod: each gets its share, and 32 at least."""
MAX_FINDINGS: Final = 64
"""Errors of one annotation: as many causes as a Status has."""
MAX_HINTS: Final = 3
"""Errors of a pod that get suggestions, which have to be searched for."""
MAX_UNKNOWN: Final = 8
"""Unknown members of an annotation that are warned about one by one."""
MAX_RECORD_CHARACTERS: Final = 16 << 10
"""A record of `MAX_ELEMENTS` planes is a quarter of it."""
MAX_WIRES: Final = 32
"""Interfaces and devices of the node that one NAD uses: each is compared with planes'."""
MAX_SUPPLIES: Final = 4
"""IPAMs of one NAD; there is one for each interface that its plugins make."""
MAX_SUPPLIED: Final = 8
"""Addresses, and ranges, of one IPAM that are compared with planes' subnets."""
MAX_NAD_CONFIG_BYTES: Final = 32 << 10
"""The configuration of one NAD; a longer one is refused unparsed. Usual ones have 1 KiB."""
MAX_NAD_VALUES: Final = 2048
"""Commas and brackets of a NAD's configuration: parsed, each takes 100 bytes of memory."""
MAX_NAD_RANGES: Final = 64
"""Ranges and addresses of one NAD's IPAM."""
MAX_NAD_ROUTES: Final = 256
"""Routes of one NAD's IPAM."""
MAX_NADS_OF_NAMESPACE: Final = 256
"""NADs of one namespace that can be used, the oldest; administrators' are not limited."""
MAX_NAD_BYTES_OF_NAMESPACE: Final = 1 << 20
"""Configurations of the NADs of one namespace together, in bytes; those created first."""
MAX_NAD_VALUES_OF_NAMESPACE: Final = 1 << 14
"""Commas and brackets of these together."""

MAX_CONFIG_BYTES_OF_POD: Final = 128 << 10
"""Configurations of a pod's networks together: its node keeps them while it runs, and of a hundred
pods more. `MAX_ELEMENTS` usual ones have 32 KiB."""
MAX_CONFIG_VALUES_OF_POD: Final = 4096
"""Commas and brackets of these together."""

MAX_NETWORKS_CHARACTERS: Final = 64 << 10
"""The networks annotation: `MAX_ELEMENTS` of 2 KiB."""
MAX_NETWORKS_VALUES: Final = 4096
"""Commas and brackets of it: its node keeps its requests while the pod runs."""
MAX_STATUS_CHARACTERS: Final = 64 << 10
"""A network-status that is read; a node writes some KiB."""
MAX_SHOWN_IPS_OF_POD: Final = 256
"""Addresses of a network-status that are counted: `MAX_ELEMENTS` interfaces of 8."""
MAX_CLAIMS_OF_NAMESPACE: Final = 1 << 14
"""Addresses claimed by pods of one namespace that are found by others; some 7 MiB."""
MAX_CLAIMS_OF_ADDRESS: Final = 8
"""Claims of one address by pods of one namespace that are found: one is enough to refuse."""

MAX_HELD_OF_NODE: Final = 2048
"""Static addresses of one node that admission keeps: 8 for each of its pods; some 2 MiB."""
MAX_BLOCKS_OF_NODE: Final = 4096
"""Blocks and grids of one node that the webhook's leader keeps in memory; some 4 MiB."""

MAX_NAD_PLUGINS: Final = 16
"""Plugins of one network: each is a process, or a job, of every ADD and DEL."""
MAX_NAD_ADDRESSES: Final = 64
"""Addresses that one IPAM gives an interface."""
MAX_NAD_TRUNKS: Final = 64
"""Entries of a bridge port's list of VLANs."""
MAX_NAD_SYSCTLS: Final = 64
"""Sysctls of one plugin: each is a file written in the sandbox."""
MAX_NAD_USERS: Final = 4096
"""Pods of one namespace times the NADs they name, for checks of a deletion."""
MAX_NAD_FINDINGS: Final = 32
"""Findings about one NAD; the API server would cut more."""
MAX_NAD_HINTS: Final = 4
"""Findings of one NAD for which a near name is searched."""
MAX_RANGES: Final = 256
"""Address ranges of one network configuration, over all its range sets."""
MAX_ROUTES: Final = 1024
"""Routes of one network configuration."""
MAX_RESULT_ROUTES: Final = 4096
"""Routes of a plugin's result: a plane may have that many; each is a write to the kernel."""
MAX_IPS_OF_NETCONF: Final = 64
"""Addresses of one network configuration, besides those of its ranges."""
MAX_RESULT_IPS: Final = 1024
"""Addresses of a plugin's result: more than any configuration can ask for."""
MAX_INTERFACES: Final = 1024
"""Interfaces of a plugin's result."""
MAX_DNS: Final = 256
"""Name servers, search domains or options of a network configuration or result, each."""
MAX_RESOLV_CONF_BYTES: Final = 64 << 10
"""A file that a network configuration names; resolvers read a few hundred bytes of theirs."""
