"""Type `bandwidth`: limits what an interface of the chain, one end of a veth pair, may carry.

Queueing disciplines, device and result are the reference plugin's; a failed ADD leaves nothing.
What the pod receives is limited where the host's end sends it; what it sends, on an `ifb` device.

Invariant: without limits there is no step at all, the common case. Only the host's end of the
interface CNI_IFNAME is limited, which the prevResult must name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cni.native import checks
from cni.native.chained import ChainedType, chained_result
from cni.native.interface import require_netns
from cni.native.steps import Steps
from cni.native.types.bandwidth_conf import ifb_names, read_bandwidth_conf
from cni.native.types.bandwidth_steps import (
    CheckLimit,
    CreateIfb,
    FindHostEnd,
    FindRedirected,
    LimitLink,
    Redirect,
    RemoveIfb,
)
from cni.net.links import Link
from cni.plugins.plugin import Call
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Interface, Result

_QUEUE_OF_CLASSES: Final = 1000  # packets: those of an htb class wait in a queue of that length


class Bandwidth(ChainedType):
    """Plugin type `bandwidth`."""

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Limit both directions; the result has the `ifb` device at its end.

        Raises:
            PlanesError: it cannot be done.
        """
        read = read_bandwidth_conf(conf)
        previous = chained_result(conf)
        if read.is_idle:
            return previous
        require_netns(call)
        link = yield from _host_end(call, previous)
        if read.ingress is not None:
            yield from LimitLink(link, read.ingress, read.subnets, by_source=True)
        if read.egress is None:
            return previous
        queue_length = 0 if read.subnets is None else _QUEUE_OF_CLASSES
        names = ifb_names(conf.name, call.container_id, call.ifname)
        ifb = yield from CreateIfb(names, link.mtu, queue_length)
        yield from Redirect(link, ifb)
        yield from LimitLink(ifb, read.egress, read.subnets, by_source=False)
        made = Interface(ifb.name, ifb.mac)
        return replace(previous, interfaces=(*previous.interfaces, made))

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare the limits, the `ifb` device and the redirection with the netconf.

        Raises:
            PlanesError: one of them differs.
        """
        read = read_bandwidth_conf(conf)
        previous = checks.previous_result(conf)
        if read.is_idle:
            return
        require_netns(call)
        link = yield from _host_end(call, previous)
        if read.ingress is not None:
            yield from CheckLimit(link, read.ingress, read.subnets)
        if read.egress is not None:
            first, second = ifb_names(conf.name, call.container_id, call.ifname)
            name = second if second in _host_names(previous) else first
            ifb = yield from FindRedirected(link, name)
            yield from CheckLimit(ifb, read.egress, read.subnets)

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Report whether there may be an `ifb` device: all else goes with the veth pair."""
        try:
            read = read_bandwidth_conf(conf)
        except PlanesError:  # its ADD was refused
            return False
        if not read.is_idle or "bandwidth" not in conf.capabilities:
            return read.egress is not None
        # Limits of `runtimeConfig` need not come with DEL.
        names = ifb_names(conf.name, call.container_id, call.ifname)
        return bool(_named_in_result(conf, names))

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Remove the `ifb` device; needs neither the sandbox nor a prevResult.

        Raises:
            PlanesError: the kernel refuses.
        """
        if self.leaves(call, conf):
            first, second = ifb_names(conf.name, call.container_id, call.ifname)
            named = _named_in_result(conf, (first, second))
            yield from RemoveIfb(named or (second, first))


def _named_in_result(conf: NetConf, names: tuple[str, str]) -> tuple[str, ...]:
    """Return those names that the prevResult has; none without a readable one."""
    try:
        previous = conf.prev_result() or Result()
    except PlanesError:
        return ()
    there = _host_names(previous)
    return tuple(name for name in names if name in there)


def _host_end(call: Call, previous: Result) -> Steps[Link]:
    return (yield from FindHostEnd(call.ifname, _host_names(previous)))


def _host_names(previous: Result) -> frozenset[str]:
    return frozenset(one.name for one in previous.interfaces if not one.sandbox)
