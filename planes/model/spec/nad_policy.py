"""The policy for NADs: the setting `nads: guarded | open` and the settings beside it.

A NAD makes root run programs on a node. Under `guarded`, NADs outside the administrators'
namespaces may only have plugin types and keys that affect nothing of the node but the interfaces
named here; under `open` (as with Multus) the same is only warned about.
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
        is_guarded: refuse NADs of tenants that go further; else warn.
        administrators: namespaces whose NADs are not restricted.
        interfaces: patterns (`br-*`, `eth1`, `eth1.100` for a VLAN) of host interfaces that
            tenants' NADs may use, bridges included; `shop:br-*` is for NADs and pods of shop alone.
        types: plugin types that tenants' NADs may have, besides the reference plugins that affect
            nothing of the node.
        host_ports: inclusive ranges of ports of the node that tenants' networks may map.
    """

    is_guarded: bool = False
    administrators: frozenset[str] = frozenset(ADMINISTRATORS)
    interfaces: tuple[str, ...] = INTERFACES
    types: frozenset[str] = frozenset()
    host_ports: tuple[tuple[int, int], ...] = ()

    def is_tenant(self, namespace: str) -> bool:
        """Report whether a namespace is not one of the administrators'."""
        return namespace not in self.administrators

    def restricts(self, namespace: str) -> bool:
        """Report whether a namespace's NADs are refused where they go further."""
        return self.is_guarded and self.is_tenant(namespace)

    @property
    def is_scoped(self) -> bool:
        """Whether an interface is for NADs and pods of some namespaces alone."""
        return any(":" in entry for entry in self.interfaces)

    def of(self, namespace: str) -> NadPolicy:
        """Return the policy for one namespace, with the interface patterns for it."""
        interfaces = []
        for entry in self.interfaces:
            for_namespace, _, pattern = entry.rpartition(
                ":"
            )  # no interface has a colon in its name
            if fnmatchcase(namespace, for_namespace or "*"):
                interfaces.append(pattern)
        return replace(self, interfaces=tuple(interfaces))

    def permits_interface(self, interface: str) -> bool:
        """Report whether a NAD may use a host interface; `eth1.100` is a VLAN of eth1."""
        return any(fnmatchcase(interface, pattern) for pattern in self.interfaces)

    def permits_port(self, port: int) -> bool:
        """Report whether a tenant's network may map a port of the node."""
        return any(first <= port <= last for first, last in self.host_ports)
