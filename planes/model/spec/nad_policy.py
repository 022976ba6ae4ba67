"""Who may write which NADs: the setting `nads: guarded | open` and what goes with it.

A NAD is a program that root runs on a node. Under `guarded` those outside the administrators'
namespaces are restricted to plugin types and keys that reach nothing of the node's but the
interfaces named here; under `open` (what Multus does) the same is only warned about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from planes.model.names import NETPLANE_NAMESPACE

ADMINISTRATORS = (NETPLANE_NAMESPACE, "kube-system")
INTERFACES = ("br-*",)


@dataclass(frozen=True, slots=True)
class NadPolicy:
    """What NADs of tenants may be.

    Attributes:
        is_guarded: refuse what is outside; else warn.
        administrators: namespaces whose NADs are the administrator's own, unrestricted.
        interfaces: patterns (`br-*`, `eth1`, `eth1.100` for a VLAN) of host interfaces that
            tenants' NADs may stand on, bridges included; `shop:br-*` is for NADs and pods of shop
            alone.
        types: plugin types that tenants' NADs may name besides the reference plugins that reach
            nothing of the node's.
        host_ports: inclusive spans of ports of the node that tenants' networks may map.
    """

    is_guarded: bool = False
    administrators: frozenset[str] = frozenset(ADMINISTRATORS)
    interfaces: tuple[str, ...] = INTERFACES
    types: frozenset[str] = frozenset()
    host_ports: tuple[tuple[int, int], ...] = ()

    def is_tenant(self, namespace: str) -> bool:
        """Tell whether a namespace is none of the administrators'."""
        return namespace not in self.administrators

    def restricts(self, namespace: str) -> bool:
        """Tell whether a namespace's NADs are refused where they reach further."""
        return self.is_guarded and self.is_tenant(namespace)

    @property
    def is_scoped(self) -> bool:
        """True where an interface is for NADs and pods of some namespaces alone."""
        return any(":" in entry for entry in self.interfaces)

    def of(self, namespace: str) -> NadPolicy:
        """Give the policy as it is for one namespace: with the patterns that are for it."""
        interfaces = []
        for entry in self.interfaces:
            whom, _, pattern = entry.rpartition(":")  # no interface has a colon in its name
            if fnmatchcase(namespace, whom or "*"):
                interfaces.append(pattern)
        return replace(self, interfaces=tuple(interfaces))

    def may_stand_on(self, interface: str) -> bool:
        """Tell whether a NAD may stand on a host interface; `eth1.100` is a VLAN of eth1."""
        return any(fnmatchcase(interface, pattern) for pattern in self.interfaces)

    def may_map(self, port: int) -> bool:
        """Tell whether a tenant's network may map a port of the node."""
        return any(first <= port <= last for first, last in self.host_ports)
