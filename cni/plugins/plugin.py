"""The interface of one plugin, native or by exec, as the chain runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from planes.model.addresses import IPAddress
from planes.model.spec.conflict_probe import ConflictProbe
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from planes.store.protocol import AddressOwner


@dataclass(frozen=True, slots=True)
class Probing:
    """Which addresses of an attachment are probed on the wire before they are used, and how.

    Attributes:
        plane: whose addresses they are.
        schedule: how often and how fast.
        only: the addresses; None for all that its IPAM gives.
    """

    plane: str
    schedule: ConflictProbe
    only: frozenset[IPAddress] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """The CNI parameters of a plugin, beside its netconf (CNI spec 1.1.0 §2, "Parameters").

    Attributes:
        container_id: the sandbox.
        netns: path of the sandbox's network namespace, "" where it is gone.
        ifname: the interface to create, at most 15 bytes.
        cni_args: CNI_ARGS as ordered pairs, including IP and MAC.
        cni_path: the directories of plugin binaries.
        owner: the owner of plane addresses.
        plane: the plane that its addresses may be of, "" for none.
        ips: the addresses of that plane to allocate, as decided; empty for any.
        candidates: where `ips` is empty, addresses of which the first free one is allocated.
        claim: the IPAMClaim, of the owner's namespace, whose addresses to allocate; "" for none.
        claimed: the result of plane IPAM before the first plugin; None where nothing is claimed.
        probing: the addresses that are probed on the wire; None for none.
        is_confined: files are kept below the allowed directories only. Not so for the
            administrator's default network, nor when an existing attachment is detached.
        is_cluster_network: it is about the administrator's default network, not a NAD.
    """

    container_id: str
    netns: str
    ifname: str
    cni_args: tuple[tuple[str, str], ...] = ()
    cni_path: tuple[str, ...] = ()
    owner: AddressOwner = field(default_factory=lambda: AddressOwner("", ""))
    plane: str = ""
    ips: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    claim: str = ""
    claimed: Result | None = None
    probing: Probing | None = None
    is_confined: bool = True
    is_cluster_network: bool = False

    def arg(self, key: str) -> str:
        """Return the last value of a key in CNI_ARGS, "" where absent."""
        return dict(self.cni_args).get(key, "")


class Plugin(Protocol):
    """One plugin type. The netconf carries name, cniVersion, prevResult and runtimeConfig.

    Every method raises `PlanesError`.
    """

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Attach; return the result in the canonical (newest) form."""
        ...

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the kernel differs from the prevResult."""
        ...

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail (code 50 or 51)."""
        ...


class BinaryPlugin(Plugin, Protocol):
    """A type carried out by its binary."""

    async def delete(self, call: Call, conf: NetConf) -> None:
        """Detach; may be repeated, with the namespace gone, and after an `add` that failed."""
        ...


class NativePlugin(Plugin, Protocol):
    """A type carried out in this process.

    DEL has two parts: the links of all native attachments of a sandbox are removed as one group
    (one kernel grace period), then `release` is called for each. It may be called twice, with the
    namespace or the link gone, and after an `add` that failed anywhere.
    """

    def unsupported(self, conf: NetConf) -> str:
        """Return why only the binary can carry out this netconf; "" where we can."""
        ...

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return the names of the sandbox interfaces to remove at DEL."""
        ...

    async def release(self, call: Call, conf: NetConf) -> None:
        """Undo the rest (addresses, rules, files), after the links are gone."""
        ...


NativePlugins = Mapping[str, NativePlugin]
