"""Type `loopback`: brings the sandbox's `lo` up at ADD, and down at DEL.

As the reference plugin it ignores CNI_IFNAME. Behind another plugin it returns the prevResult.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cni.native.interface import require_netns
from cni.native.plugin import LinkType
from cni.native.steps import KernelStep, StepContext, Steps
from cni.net.addresses import LinkAddress, get_addresses, read_addresses
from cni.net.errors import MissingNetns
from cni.net.if_link import IFF_UP
from cni.net.link_changes import set_flags
from cni.net.links import Link, get_link, read_links
from cni.plugins.plugin import Call
from planes.model.errors import Conflict
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Interface, Result

_NAME: Final = "lo"


@dataclass(frozen=True, slots=True)
class _ReadLo(KernelStep[Link]):
    """Read the sandbox's `lo`."""

    def do(self, context: StepContext) -> Link:
        """Return the link."""
        return read_links(context.sandbox.channel.batch([get_link(_NAME)])[0])[0]


@dataclass(frozen=True, slots=True)
class _BringLoUp(KernelStep[tuple[LinkAddress, ...]]):
    """Bring `lo` up, and return the addresses that the kernel gives it.

    Attributes:
        link: as it was before.
    """

    link: Link

    def do(self, context: StepContext) -> tuple[LinkAddress, ...]:
        """Do it.

        Raises:
            PlanesError: the kernel refuses.
        """
        channel = context.sandbox.channel
        if not self.link.is_up:
            channel.batch([set_flags(self.link, IFF_UP)])
        return tuple(read_addresses(channel.dump(get_addresses(self.link.index)), self.link.index))

    def undo(self, context: StepContext, done: tuple[LinkAddress, ...]) -> None:
        """Bring it down again, if it was."""
        if not self.link.is_up:
            _bring_down(context, self.link)


@dataclass(frozen=True, slots=True)
class _BringLoDown(KernelStep[None]):
    """Bring `lo` down; a sandbox that is gone is fine."""

    def do(self, context: StepContext) -> None:
        """Do it.

        Raises:
            PlanesError: the kernel refuses.
        """
        with suppress(MissingNetns):
            _bring_down(context, _ReadLo().do(context))


def _bring_down(context: StepContext, link: Link) -> None:
    context.sandbox.channel.batch([set_flags(link, 0, clear=IFF_UP)])


class Loopback(LinkType):
    """Plugin type `loopback`."""

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Bring `lo` up.

        Raises:
            Conflict: it has an address that is none of loopback.
            PlanesError: it cannot be done.
        """
        require_netns(call)
        previous = conf.prev_result()
        link = yield from _ReadLo()
        found = yield from _BringLoUp(link)
        foreign = [one.address for one in found if not one.address.is_loopback]
        if foreign:
            raise Conflict(
                f"cannot use {_NAME} of the sandbox: it has {foreign[0]}, which is no loopback"
                " address",
                remedy="put addresses of the pod on another interface",
            )
        if previous is not None:
            return previous
        by_family = {one.address.version: str(one.address) for one in reversed(found)}
        return Result(
            interfaces=(Interface(_NAME, mac=link.mac, sandbox=call.netns),),
            ips=tuple(Address(by_family[one], interface=0) for one in sorted(by_family)),
        )

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Check that `lo` is up.

        Raises:
            PlanesError: it is not.
        """
        require_netns(call)
        link = yield from _ReadLo()
        if not link.is_up:
            raise Conflict(f"cannot confirm {_NAME} of the sandbox: it is down")

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return none: the kernel does not remove `lo`."""
        return ()

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Report whether there is a sandbox, whose `lo` is to be brought down."""
        return bool(call.netns)

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Bring `lo` down.

        Raises:
            PlanesError: it cannot be done.
        """
        if call.netns:
            yield from _BringLoDown()
