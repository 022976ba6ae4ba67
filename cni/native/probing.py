"""Steps that probe addresses of a plane on the wire before a pod gets them.

The interface is up by then, without addresses. Waits are shared by all networks of a pod, and need
no thread. Invariant: an attachment goes on with addresses that nobody answered for, or not at all.
A bounded number of addresses is tried, so that a host that answers for all cannot hold a pod up.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cni.native.steps import (
    KernelStep,
    Polled,
    ReplaceAddresses,
    Settle,
    StepContext,
    Steps,
)
from cni.net.address_probe import AddressProbe, opened_probe
from cni.net.announce import announce
from cni.net.configure import give_up_settling
from cni.net.links import Link, find_link, read_links
from cni.plugins.plugin import Call
from planes.model.addresses import IPAddress, parse_interface
from planes.model.spec.conflict_probe import ConflictProbe
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result


@dataclass(frozen=True, slots=True)
class OpenProbe(KernelStep[AddressProbe | None]):
    """Bring an interface up and listen for answers; None where the sandbox has no such interface.

    A device that its driver leaves to a program has none.
    """

    ifname: str
    addresses: tuple[IPAddress, ...]
    schedule: ConflictProbe

    def do(self, context: StepContext) -> AddressProbe | None:
        """See `cni.net.address_probe`."""
        return opened_probe(
            context.host,
            context.sandbox,
            self.ifname,
            self.addresses,
            schedule=self.schedule,
            clock=time.monotonic,
        )

    def undo(self, context: StepContext, done: AddressProbe | None) -> None:
        """Close the sockets."""
        if done is not None:
            done.close()


@dataclass(frozen=True, slots=True)
class AwaitAnswers(Polled[Mapping[IPAddress, str]]):
    """Send the probes and wait for answers: results in the addresses in use, with MACs."""

    ends_making: ClassVar[bool] = True

    probe: AddressProbe

    def look(self, context: StepContext) -> Mapping[IPAddress, str] | None:
        """Return the answers; None where it is not over."""
        answered = self.probe.look(context.sandbox)
        if answered is not None:
            self.probe.close()
        return answered


@dataclass(frozen=True, slots=True)
class Announce(KernelStep[None]):
    """Announce which MAC has the addresses; see `cni.net.announce`."""

    link: Link
    addresses: tuple[str, ...]

    def do(self, context: StepContext) -> None:
        """Send the frames."""
        announce(context.sandbox, self.link, self.addresses)


def probed(call: Call, conf: NetConf, given: Result) -> Steps[Result]:
    """Return addresses that nobody on the wire has: those given, or others in their place.

    Args:
        call: says which addresses are probed.
        conf: has the IPAM type that gives others.
        given: what it gave first.

    Raises:
        Conflict: a static address is in use, or all that may be tried are.
        PlanesError: there is no other address, or the kernel refuses.
    """
    answered: dict[IPAddress, str] = {}
    while found := (yield from answers(call, given)):
        answered |= found
        given = yield from ReplaceAddresses(call, conf, found, dict(answered))
    return given


def after_execution(call: Call, conf: NetConf, result: Result) -> Steps[None]:
    """Wait for IPv6 duplicate detection of what a binary configured, and probe its addresses.

    A binary has configured the addresses when it ends, so that one in use is not replaced: the ADD
    fails, and the next attempt gets another.

    Args:
        call: of the attachment.
        conf: the netconf of the binary.
        result: of the binary.

    Raises:
        Conflict: somebody on the wire has an address.
        PlanesError: IPv6 addresses do not settle, or the kernel refuses.
    """
    for name in _with_ipv6(result):
        link = yield from FindInside(name)
        if link is not None and (yield from Settle(link)):
            yield from GiveUpSettling(link)
    if conf.ipam_type:  # a chained plugin passes on what was probed before
        found = yield from answers(call, result)
        if found:
            yield from ReplaceAddresses(call, conf, found, found, is_final=True)


def _with_ipv6(result: Result) -> tuple[str, ...]:
    """Return the sandbox interfaces of a result that have IPv6 addresses."""
    links = result.interfaces
    places = [one.interface for one in result.ips if one.family == 6]
    found = [links[at] for at in places if at is not None and 0 <= at < len(links)]
    return tuple(dict.fromkeys(link.name for link in found if link.sandbox))


@dataclass(frozen=True, slots=True)
class FindInside(KernelStep[Link | None]):
    """Find an interface of the sandbox, None where there is none."""

    name: str

    def do(self, context: StepContext) -> Link | None:
        """Return it."""
        links = read_links(context.sandbox.channel.batch([find_link(self.name)])[0])
        return links[0] if links else None


@dataclass(frozen=True, slots=True)
class GiveUpSettling(KernelStep[None]):
    """Refuse addresses that are still tentative where the link has a carrier."""

    link: Link

    def do(self, context: StepContext) -> None:
        """See `cni.net.configure.give_up_settling`."""
        give_up_settling(context.sandbox, self.link, context.settle_seconds)


def answers(call: Call, given: Result) -> Steps[Mapping[IPAddress, str]]:
    """Probe the addresses of a result that a plane wants probed; return those in use, with MACs.

    Raises:
        PlanesError: the kernel refuses.
    """
    probing = call.probing
    if probing is None:
        return {}
    given_ips = dict.fromkeys(parse_interface(one.address).ip for one in given.ips)
    addresses = tuple(ip for ip in given_ips if probing.only is None or ip in probing.only)
    probe = yield from OpenProbe(call.ifname, addresses, probing.schedule)
    if probe is None:
        return {}
    return (yield from AwaitAnswers(probe))
