"""Steps about links: find a master; create, configure and read an interface of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from cni.native.interface import require_addresses
from cni.native.probing import Announce, probed
from cni.native.steps import KernelStep, Settle, StepContext, Steps, TakeAddresses
from cni.net import configure
from cni.net.configure import Setup, bring_up
from cni.net.errors import MissingNetns
from cni.net.facts import Facts, read_facts
from cni.net.find_master import find_master
from cni.net.link_changes import delete_link
from cni.net.links import Link, get_links, read_links
from cni.net.netlink import NetlinkRequest
from cni.net.new_links import Placement
from cni.net.placement import place
from cni.plugins.plugin import Call
from planes.model.errors import NotFound
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result


@dataclass(frozen=True, slots=True)
class FindMaster(KernelStep[Link]):
    """Find the device of a name; without one, that of the first default route.

    Attributes:
        name: of the device, "" for that of the default route.
        is_inside: whether it is an interface of the sandbox (`linkInContainer`), not of the host.
    """

    name: str
    is_inside: bool = False

    def do(self, context: StepContext) -> Link:
        """Return the link.

        Raises:
            NotFound: there is none.
        """
        channel = context.sandbox.channel if self.is_inside else context.host
        return find_master(channel, self.name, is_inside=self.is_inside)


@dataclass(frozen=True, slots=True)
class CreateLink(KernelStep[None]):
    """Create an interface in the sandbox, under its final name.

    Attributes:
        name: of the interface.
        mac: "" leaves it to the kernel.
        mtu: in bytes; 0 leaves it to the kernel.
        request: makes the request.
        is_inside: whether the request is sent in the sandbox, as its master is there, not on the
            host.
    """

    name: str
    request: Callable[[Placement], NetlinkRequest]
    mac: str = ""
    mtu: int = 0
    is_inside: bool = False

    def do(self, context: StepContext) -> None:
        """Create it.

        Raises:
            Conflict: the sandbox has an interface of that name, or the master is in use.
            PlanesError: the kernel refuses for another reason.
        """
        sandbox = context.sandbox
        to = Placement(self.name, sandbox.fd, self.mac, self.mtu)
        place(sandbox.channel if self.is_inside else context.host, sandbox, to, self.request)

    def undo(self, context: StepContext, done: None) -> None:
        """Delete it."""
        with suppress(NotFound, MissingNetns):
            context.sandbox.channel.batch([delete_link(self.name)])


@dataclass(frozen=True, slots=True)
class Configure(KernelStep[tuple[Link, bool]]):
    """Write sysctls and addresses of an interface, bring it up, and add its routes.

    Results in the link, and in whether its routes are still to be added: its addresses have to
    settle, or attachments before this one are not finished, whose routes come first.
    """

    ends_making: ClassVar[bool] = True

    setup: Setup

    def do(self, context: StepContext) -> tuple[Link, bool]:
        """See `cni.net.configure.bring_up`."""
        return bring_up(context.sandbox, self.setup, adds_routes=context.is_in_turn)


@dataclass(frozen=True, slots=True)
class AddRoutes(KernelStep[None]):
    """Add the routes of a setup whose addresses have settled.

    Attributes:
        is_late: the wait was given up; tentative addresses are refused where there is a carrier.
    """

    setup: Setup
    link: Link
    is_late: bool

    def do(self, context: StepContext) -> None:
        """Add them; the interface takes them along when it is deleted."""
        if self.is_late:
            configure.give_up_settling(context.sandbox, self.link, context.settle_seconds)
        configure.add_routes(context.sandbox, self.setup, self.link)


@dataclass(frozen=True, slots=True)
class ReadSandbox(KernelStep[Facts]):
    """Read links, addresses and routes of the sandbox."""

    def do(self, context: StepContext) -> Facts:
        """Return them."""
        return read_facts(context.sandbox.channel)


@dataclass(frozen=True, slots=True)
class ReadHostLinks(KernelStep[tuple[Link, ...]]):
    """Read the links of the host."""

    def do(self, context: StepContext) -> tuple[Link, ...]:
        """Return them."""
        return tuple(read_links(context.host.dump(get_links())))


def take_addresses(call: Call, conf: NetConf) -> Steps[Result]:
    """Get addresses from the IPAM type; an empty result where the netconf has none.

    The interface is made already: addresses of a plane that wants it are probed on its wire, and
    the interface is up then.

    Raises:
        BadInput: the type gave no address.
        Conflict: somebody on the wire has the addresses.
    """
    if not conf.ipam_type:
        return Result()
    given = yield from TakeAddresses(call, conf)
    require_addresses(call, given)
    if call.probing is not None:
        given = yield from probed(call, conf, given)
    # An IPAM type knows no interfaces.
    return Result(ips=given.ips, routes=given.routes, dns=given.dns)


def configure_link(setup: Setup) -> Steps[Link]:
    """Bring an interface up with its addresses and routes; wait for duplicate detection of IPv6.

    Raises:
        PlanesError: an address is a duplicate, or the kernel refuses.
    """
    link, has_more = yield from Configure(setup)
    if has_more:
        is_late = yield from Settle(link)
        yield from AddRoutes(setup, link, is_late)
    if link.is_up and setup.result.ips:  # probed before: the kernel announces at link up only
        yield from Announce(link, tuple(one.ip for one in setup.result.ips))
    return link
