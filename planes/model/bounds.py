"""How much one pod's annotations may ask for: bounds what a hostile text can cost.

With these every text up to the 256 KiB that Kubernetes allows is decided in a few milliseconds.
Counts are checked before elements are read, and ranges of addresses are never walked: their
n-th address is computed, and of a search only a bounded part is looked at.
"""

from __future__ import annotations

from typing import Final

MAX_ELEMENTS: Final = 32
"""Networks of one pod: more interfaces than any pod has use for."""
MAX_MEMBERS: Final = 64
"""Members of one element: the format knows 13."""
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
MAX_FINDINGS: Final = 64
"""Errors told about one annotation: what a Status carries as causes."""
MAX_HINTS: Final = 3
"""Errors of a pod that come with suggestions, which have to be searched for."""
MAX_UNKNOWN: Final = 8
"""Unknown members of an annotation that are warned about one by one."""
MAX_RECORD_CHARACTERS: Final = 16 << 10
"""A record of `MAX_ELEMENTS` planes is a quarter of it."""
MAX_WIRES: Final = 32
"""Interfaces and devices of the node that one NAD leads to: each is compared with planes'."""
MAX_SUPPLIES: Final = 4
"""IPAMs of one NAD; there is one for each interface that its plugins make."""
MAX_SUPPLIED: Final = 8
"""Addresses, and ranges, of one IPAM that are compared with planes' subnets."""
