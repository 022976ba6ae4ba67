"""Steps about the link of a virtual function in a sandbox: its MAC, and the announcement of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cni.native.probing import Announce
from cni.native.steps import KernelStep, StepContext, Steps, Wait
from cni.native.types.sriov_steps import FoundVf, writer_of
from cni.net.device_links import find_device, set_device_mac, take_down
from cni.net.links import Link, get_link, read_links
from cni.net.vf_settings import NO_MAC
from planes.model.errors import BadInput, PlanesError

_PAUSE_SECONDS: Final = 0.1
_MOST_WRITES: Final = 20
_CLEARED_AT: Final = 3
"""After so many refusals: drivers that need it refuse at once, others only for a moment."""
_CARRIER_SECONDS: Final = 0.05
_MOST_LOOKS: Final = 4


@dataclass(frozen=True, slots=True)
class SetLinkMac(KernelStep[bool]):
    """Write the MAC of a function's link in the sandbox; False where its driver refuses it yet.

    Attributes:
        clears: first leave the MAC to the function, then set the administrative one again: some
            drivers (igb) accept no MAC from a function that has one.
    """

    found: FoundVf
    ifname: str
    mac: str
    clears: bool

    def do(self, context: StepContext) -> bool:
        """Write it."""
        channel = context.sandbox.channel
        link = find_device(channel, self.ifname)
        if link is None or link.mac == self.mac:
            return link is not None
        writer = writer_of(context, self.found.function)
        try:
            if self.clears:
                writer.set_mac(NO_MAC)
            channel.batch([set_device_mac(link, self.mac)])
        except PlanesError:
            return False
        finally:
            if self.clears:
                writer.set_mac(self.mac)
        return True

    def undo(self, context: StepContext, done: bool) -> None:
        """Write the MACs of before, the administrative one first: the link's needs that."""
        before = self.found.link
        channel = context.sandbox.channel
        link = find_device(channel, self.ifname)
        if done and before is not None and link is not None and link.mac != before.mac:
            writer_of(context, self.found.function).set_mac(self.found.settings.mac)
            channel.batch([take_down(link), set_device_mac(link, before.mac)])


def set_link_mac(found: FoundVf, ifname: str, mac: str) -> Steps[None]:
    """Write the MAC of a function's link in the sandbox; drivers may need a moment for it.

    Raises:
        BadInput: the driver refuses it.
    """
    for attempt in range(_MOST_WRITES):
        if (yield from SetLinkMac(found, ifname, mac, clears=attempt >= _CLEARED_AT)):
            return
        yield from Wait(_PAUSE_SECONDS)
    raise BadInput(
        f"cannot set the MAC of virtual function {found.function.address} to {mac}: its driver "
        f"{found.function.driver} refuses it",
        remedy='set "trust": "on" in the network\'s configuration, or leave the MAC to be chosen',
    )


@dataclass(frozen=True, slots=True)
class HasCarrier(KernelStep[bool]):
    """Report whether frames can pass a link of the sandbox."""

    name: str

    def do(self, context: StepContext) -> bool:
        """Return it."""
        links = read_links(context.sandbox.channel.batch([get_link(self.name)])[0])
        return bool(links) and links[0].has_carrier


def announce_addresses(link: Link, addresses: tuple[str, ...]) -> Steps[None]:
    """Wait a moment for the carrier, then announce the addresses."""
    for _look in range(_MOST_LOOKS):
        if (yield from HasCarrier(link.name)):
            break
        yield from Wait(_CARRIER_SECONDS)
    yield from Announce(link, addresses)
