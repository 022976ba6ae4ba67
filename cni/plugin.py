"""The seam between running a conflist and carrying out one plugin, native or by exec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from planes.store.protocol import AddressOwner


@dataclass(frozen=True, slots=True)
class Call:
    """What a plugin is told beside its netconf (CNI spec 1.1.0 §2, "Parameters").

    Attributes:
        container_id: the sandbox.
        netns: path of the sandbox's network namespace, "" where it is gone.
        ifname: the interface to make, at most 15 bytes.
        cni_args: CNI_ARGS as ordered pairs, including IP and MAC.
        cni_path: directories to look plugins up in.
        owner: whose attachment it is, for plane addresses.
        plane: the plane it was decided for, "" for none: whose addresses it may take.
        ips: the addresses of that plane to take, as decided; empty for any.
        candidates: where `ips` is empty, addresses of which the first free one is taken.
        is_confined: files are kept below the allowed directories only. Not so for what the node's
            own administrator configured, and for taking back what was attached already.
        is_cluster_network: it is about the administrator's default network, which no NAD names.
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
    is_confined: bool = True
    is_cluster_network: bool = False

    def arg(self, key: str) -> str:
        """The last CNI_ARGS value of a key, "" where absent."""
        return dict(self.cni_args).get(key, "")


class Plugin(Protocol):
    """One plugin type. The netconf carries name, cniVersion, prevResult and runtimeConfig.

    Every method raises `PlanesError`. `delete` and `release` may be called twice, with the
    namespace or the link gone, and after an `add` that failed anywhere.
    """

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Attach; the result in the canonical (newest) form."""
        ...

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the kernel differs from the prevResult."""
        ...

    async def delete(self, call: Call, conf: NetConf) -> None:
        """Detach."""
        ...

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail (code 50 or 51)."""
        ...


class NativePlugin(Plugin, Protocol):
    """A type carried out in this process.

    DEL of a sandbox removes the links of all its native attachments as one group (one kernel
    grace period), then calls `release` on each: hence the split of `delete` in two.
    """

    def unsupported(self, conf: NetConf) -> str:
        """Why this netconf must go to the binary instead; "" where we can do it."""
        ...

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """The sandbox interfaces to remove."""
        ...

    async def release(self, call: Call, conf: NetConf) -> None:
        """Undo the rest (addresses, rules, files), after the links are gone."""
        ...

    def local_release(self, call: Call, conf: NetConf) -> Callable[[], None] | None:
        """Give `release` as one step that blocks; None where something is to be awaited.

        DEL takes such steps of all attachments together, in one thread.
        """
        ...


NativePlugins = Mapping[str, NativePlugin]
