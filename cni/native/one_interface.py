"""What every type does the same that makes one interface in the sandbox: all but making it.

A type adds `unsupported`, `add` and `check`; one that leaves more than a link and addresses (rules,
files) extends `release`. Invariant: `delete` may be called twice, with the link or the namespace
gone.
"""

from __future__ import annotations

from collections.abc import Callable

from cni.ipam.ipams import Ipams
from cni.native.attaching import Attaching
from cni.native.interface import local_release
from cni.net.kernel import Kernel
from cni.plugin import Call
from planes.model.wire.netconf import NetConf


class OneInterface:
    """A type whose attachment is the interface CNI_IFNAME."""

    def __init__(self, kernel: Kernel, ipams: Ipams) -> None:
        self._kernel = kernel
        self._ipams = ipams
        self._attaching = Attaching(kernel, ipams)

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """The sandbox interfaces to remove."""
        return (call.ifname,)

    async def delete(self, call: Call, conf: NetConf) -> None:
        """Detach.

        Raises:
            PlanesError: something is left.
        """
        await self._kernel.remove_links(call.netns, self.links(call, conf))
        await self.release(call, conf)

    async def release(self, call: Call, conf: NetConf) -> None:
        """Give back addresses, after the link is gone.

        Raises:
            PlanesError: they are still held.
        """
        if conf.ipam_type:
            await self._ipams.release(call, conf)

    def local_release(self, call: Call, conf: NetConf) -> Callable[[], None] | None:
        """Give `release` as one blocking step, where it is one."""
        return local_release(self._ipams, call, conf)

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail.

        Raises:
            PlanesError: it would.
        """
        if conf.ipam_type:
            await self._ipams.status(call, conf)
