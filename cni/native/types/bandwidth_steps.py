"""The steps of `bandwidth`: limits of the host's end of a veth pair, and of an `ifb` device.

A step that raises has left nothing: what was added before is removed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cni.native.steps import KernelStep, StepContext
from cni.net.channel import Channel
from cni.net.ifb import find_ifb, new_ifb
from cni.net.link_changes import delete_link
from cni.net.links import Link, get_link, get_link_at, read_links
from cni.net.netlink import NetlinkRequest
from cni.net.qdiscs import (
    ROOT,
    BandwidthLimit,
    Qdisc,
    add_ingress,
    add_redirect,
    add_tbf,
    delete_ingress,
    delete_root,
    get_qdiscs,
    read_qdiscs,
)
from cni.net.subnet_shaping import ShapedSubnets, get_classes, limit_subnets, limited_rate
from planes.model.errors import BadInput, Conflict, NotFound, PlanesError


@dataclass(frozen=True, slots=True)
class FindHostEnd(KernelStep[Link]):
    """Find the host's end of the veth pair whose other end is an interface of the sandbox.

    Attributes:
        names: of the host's interfaces in the prevResult.
    """

    ifname: str
    names: frozenset[str]

    def do(self, context: StepContext) -> Link:
        """Return it.

        Raises:
            BadInput: the interface is no end of a pair, or the other end is not the prevResult's.
            NotFound: there is no such interface.
        """
        inner = read_links(context.sandbox.channel.batch([get_link(self.ifname)])[0])[0]
        if inner.kind != "veth":
            raise BadInput(
                f"cannot limit the bandwidth of {self.ifname}: container interface {self.ifname}"
                f" has no veth peer, it is a {inner.kind or 'device'}",
                remedy="put bandwidth behind bridge, ptp or another type that makes a veth pair",
            )
        found = read_links(context.host.batch([get_link_at(inner.parent)])[0])
        # Another namespace may have the peer, and the host another link of that index.
        outer = next((one for one in found if _are_peers(one, inner)), None)
        if outer is None:
            raise BadInput(
                f"cannot limit the bandwidth of {self.ifname}: veth peer with index"
                f" {inner.parent} is not in host ns"
            )
        if outer.name not in self.names:
            raise BadInput(
                f"cannot limit the bandwidth of {self.ifname}: no veth peer of container"
                f" interface found in host ns, {outer.name} is not in the prevResult"
            )
        return outer


def _are_peers(outer: Link, inner: Link) -> bool:
    return outer.kind == "veth" and outer.parent == inner.index and outer.is_parent_elsewhere


@dataclass(frozen=True, slots=True)
class LimitLink(KernelStep[None]):
    """Limit what a link of the host sends.

    Attributes:
        by_source: whether the peers of the pod are the sources of the packets.
    """

    link: Link
    bucket: BandwidthLimit
    subnets: ShapedSubnets | None
    by_source: bool

    def do(self, context: StepContext) -> None:
        """Limit it.

        Raises:
            Conflict: something else limits it already.
            PlanesError: the kernel refuses.
        """
        first, *others = self._requests()
        context.host.batch([first])
        try:
            context.host.batch(others)
        except PlanesError:
            self.undo(context, None)
            raise

    def _requests(self) -> Sequence[NetlinkRequest]:
        if self.subnets is None:
            return [add_tbf(self.link, self.bucket)]
        return limit_subnets(self.link, self.bucket, self.subnets, by_source=self.by_source)

    def undo(self, context: StepContext, done: None) -> None:
        """Remove the limit."""
        context.host.batch([delete_root(self.link)])


@dataclass(frozen=True, slots=True)
class CreateIfb(KernelStep[Link]):
    """Create the `ifb` device of an attachment.

    Attributes:
        names: those it may have, see `ifb_names`.
    """

    names: tuple[str, str]
    mtu: int
    queue_length: int

    def do(self, context: StepContext) -> Link:
        """Create it under the first name that is free.

        Raises:
            Conflict: links of others have both names.
            PlanesError: the kernel refuses.
        """
        host = context.host
        first, second = self.names
        if find_ifb(host, second) is not None:  # left by an earlier ADD of this attachment
            host.batch([delete_link(second)])
        try:
            return self._create(host, first)
        except Conflict:
            return self._create(host, second)

    def _create(self, host: Channel, name: str) -> Link:
        host.batch([new_ifb(name, self.mtu, self.queue_length)])
        return read_links(host.batch([get_link(name)])[0])[0]

    def undo(self, context: StepContext, done: Link) -> None:
        """Delete it."""
        context.host.batch([delete_link(done.name)])


@dataclass(frozen=True, slots=True)
class RemoveIfb(KernelStep[None]):
    """Remove the `ifb` device of an attachment; none there is fine.

    Attributes:
        names: those it may have; one that only this attachment can have comes first.
    """

    names: Sequence[str]

    def do(self, context: StepContext) -> None:
        """Remove the first one that is there: another attachment may have the others.

        Raises:
            PlanesError: the kernel refuses.
        """
        for name in self.names:
            if find_ifb(context.host, name) is not None:
                context.host.batch([delete_link(name)])
                return


@dataclass(frozen=True, slots=True)
class Redirect(KernelStep[None]):
    """Redirect what a link of the host receives to an `ifb` device."""

    link: Link
    to: Link

    def do(self, context: StepContext) -> None:
        """Redirect it.

        Raises:
            Conflict: something else filters it already.
            PlanesError: the kernel refuses.
        """
        context.host.batch([add_ingress(self.link)])
        try:
            context.host.batch([add_redirect(self.link, self.to.index)])
        except PlanesError:
            self.undo(context, None)
            raise

    def undo(self, context: StepContext, done: None) -> None:
        """Remove the redirection."""
        context.host.batch([delete_ingress(self.link)])


@dataclass(frozen=True, slots=True)
class CheckLimit(KernelStep[None]):
    """Compare what limits a link of the host with what should."""

    link: Link
    bucket: BandwidthLimit
    subnets: ShapedSubnets | None

    def do(self, context: StepContext) -> None:
        """Compare.

        Raises:
            Conflict: it differs.
        """
        found = _qdiscs(context.host, self.link)
        root = next((one for one in found if one.parent == ROOT), None)
        if self.subnets is None:
            is_same = root is not None and root.bucket == self.bucket
        else:
            rate = limited_rate(context.host.dump(get_classes(self.link)))
            is_same = root is not None and root.kind == "htb" and rate == self.bucket.rate
        if not is_same:
            raise Conflict(f"cannot confirm {self.link.name}: its bandwidth limit has changed")


@dataclass(frozen=True, slots=True)
class FindRedirected(KernelStep[Link]):
    """Find the `ifb` device of an attachment, to which a link of the host is redirected."""

    link: Link
    name: str

    def do(self, context: StepContext) -> Link:
        """Return the device.

        Raises:
            NotFound: the device, or the redirection, is gone.
        """
        device = find_ifb(context.host, self.name)
        if device is None:
            raise NotFound(f"cannot find the ifb device {self.name}")
        if not any(one.is_ingress for one in _qdiscs(context.host, self.link)):
            raise NotFound(f"cannot find what redirects {self.link.name} to {self.name}")
        return device


def _qdiscs(host: Channel, link: Link) -> list[Qdisc]:
    return [one for one in read_qdiscs(host.dump(get_qdiscs())) if one.link == link.index]
