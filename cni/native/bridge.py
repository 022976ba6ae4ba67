"""Type `bridge`: a veth pair with one end in the sandbox and the other a port of a bridge.

Keys, results, rules and kernel state are the reference plugin's. The bridge itself stays, with
its address, as it does there: other sandboxes may be using it already.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from cni.ipam.ipams import Ipams
from cni.native import checks
from cni.native.bridge_conf import (
    BridgeConf,
    read_bridge_conf,
    why_unsupported,
    with_gateways,
)
from cni.native.interface import allocate, on_interface, require_netns
from cni.native.masquerade import Masquerade, Masqueraded
from cni.native.rollback import Undo, rollback
from cni.net.bridges import add_port, be_gateway, find_here, is_forwarding
from cni.net.configure import Setup
from cni.net.kernel import Kernel
from cni.net.links import IFF_PROMISC, Link, get_links, read_links
from cni.net.removal import remove_links
from cni.net.workers import Worker
from cni.plugin import Call
from planes.model.addresses import IPInterface, parse_interface
from planes.model.errors import BadInput, Conflict, Internal, NotFound
from planes.model.netconf import NetConf
from planes.model.result import Interface, Result

# The kernel reports a port as up some time after it is; the reference waits as long in all.
_PORT_WAITS_SECONDS = (0.002, 0.008, 0.04, 0.5, 1.0, 1.0)
_SANDBOX_INTERFACE = 2  # position in the result: bridge, host end, sandbox end


class Bridge:
    """The type."""

    def __init__(self, kernel: Kernel, ipams: Ipams, masquerade: Masquerade) -> None:
        self._kernel = kernel
        self._ipams = ipams
        self._masquerade = masquerade

    def unsupported(self, conf: NetConf) -> str:
        """Why this netconf must go to the binary; "" where we can do it."""
        return why_unsupported(conf)

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """The sandbox interfaces to remove."""
        return (call.ifname,)

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Attach.

        Raises:
            PlanesError: it cannot be done; nothing but the bridge is left of it.
        """
        require_netns(call)
        read = read_bridge_conf(call, conf)
        async with rollback() as undo:
            bridge, host_name = await self._kernel.run(
                lambda worker: add_port(worker, call.netns, call.ifname, read.mac, read.port),
                undo=lambda worker, _made: remove_links(worker, call.netns, (call.ifname,)),
            )
            undo.push(lambda: self._kernel.remove_links(call.netns, (call.ifname,)))
            interfaces = (
                Interface(bridge.name),
                Interface(host_name),
                Interface(call.ifname, sandbox=call.netns),
            )
            if read.has_ipam:
                given = await allocate(self._ipams, call, conf, undo)
                given, gateways = with_gateways(read, given)
                result = on_interface(replace(given, interfaces=interfaces), _SANDBOX_INTERFACE)
                link = await self._configure(call, read, result)
                await self._serve(
                    call, conf, read, result=result, gateways=gateways, bridge=bridge, undo=undo
                )
            else:
                result = Result(interfaces)
                setup = Setup(call.ifname, result, is_up=not read.is_left_down)
                link = await self._kernel.configure(call.netns, setup)
            bridge, host = await self._wait_for_port(read, bridge.name, host_name)
        return replace(
            result,
            interfaces=(
                replace(interfaces[0], mac=bridge.mac),
                replace(interfaces[1], mac=host.mac),
                replace(interfaces[2], mac=link.mac),
            ),
            dns=result.dns if read.dns is None else read.dns,
        )

    async def _configure(self, call: Call, read: BridgeConf, result: Result) -> Link:
        return await self._kernel.configure(call.netns, Setup(call.ifname, result, read.sysctls))

    async def _serve(
        self,
        call: Call,
        conf: NetConf,
        read: BridgeConf,
        *,
        result: Result,
        gateways: tuple[IPInterface, ...],
        bridge: Link,
        undo: Undo,
    ) -> None:
        """Be the sandbox's gateway, and masquerade its traffic, where configured."""
        if gateways:
            forced = read.is_address_forced
            await self._kernel.run(
                lambda worker: be_gateway(worker, bridge, gateways, is_forced=forced)
            )
        if read.has_masquerade:
            who = _masqueraded(call, conf, result)
            undo.push(lambda: self._masquerade.remove(who))
            await self._masquerade.add(who, read.masquerade_backend)

    async def _wait_for_port(
        self, read: BridgeConf, bridge_name: str, host_name: str
    ) -> tuple[Link, Link]:
        def look(worker: Worker) -> tuple[Link, Link]:
            return find_here(worker, bridge_name), find_here(worker, host_name)

        found = await self._kernel.run(look)
        for seconds in () if read.is_left_down else _PORT_WAITS_SECONDS:
            if is_forwarding(found[1]):
                break
            await asyncio.sleep(seconds)
            found = await self._kernel.run(look)
        if not read.is_left_down and not is_forwarding(found[1]):
            raise Internal(f"cannot use bridge {bridge_name}: bridge port in error state: down")
        return found

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the kernel differs from the prevResult.

        Raises:
            PlanesError: it does.
        """
        require_netns(call)
        read = read_bridge_conf(call, conf)
        if read.has_ipam:
            await self._ipams.check(call, conf)
        previous = checks.previous_result(conf)
        host = await self._kernel.run(lambda worker: read_links(worker.host.dump(get_links())))
        facts = await self._kernel.facts(call.netns)
        link = checks.check_interface(facts, call, previous, "veth")
        _check_host(read, {one.name: one for one in host}, link, previous)
        checks.check_addresses(facts, link, previous)
        checks.check_routes(facts, previous)

    async def delete(self, call: Call, conf: NetConf) -> None:
        """Detach.

        Raises:
            PlanesError: something is left.
        """
        await self._kernel.remove_links(call.netns, self.links(call, conf))
        await self.release(call, conf)

    async def release(self, call: Call, conf: NetConf) -> None:
        """Give back addresses and take masquerading rules away.

        Raises:
            PlanesError: something is left.
        """
        if not conf.ipam_type:
            return
        try:
            await self._ipams.release(call, conf)
        finally:
            if conf.fields().boolean("ipMasq"):
                await self._masquerade.remove(_masqueraded(call, conf, _known_result(conf)))

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail.

        Raises:
            PlanesError: it would.
        """
        if conf.ipam_type:
            await self._ipams.status(call, conf)


def _known_result(conf: NetConf) -> Result:
    """Give the prevResult; a DEL must go on without one, or with one that cannot be read."""
    try:
        return conf.prev_result() or Result()
    except BadInput:
        return Result()


def _masqueraded(call: Call, conf: NetConf, result: Result) -> Masqueraded:
    ours = [
        parse_interface(one.address)
        for one in result.ips
        if one.interface is None
        or (
            0 <= one.interface < len(result.interfaces)
            and result.interfaces[one.interface].name == call.ifname
        )
    ]
    return Masqueraded(conf.name, call.ifname, call.container_id, tuple(ours))


def _check_host(read: BridgeConf, host: dict[str, Link], link: Link, previous: Result) -> None:
    bridge = host.get(read.port.bridge)
    if bridge is None or bridge.kind != "bridge":
        raise NotFound(f"cannot find bridge {read.port.bridge} on this node")
    outside = {one.name: one for one in previous.interfaces if not one.sandbox}
    told = outside.get(bridge.name)
    if told is None:
        raise NotFound(f"cannot find bridge {bridge.name} in the prevResult")
    checks.check_mac(bridge, told)
    if bool(bridge.flags & IFF_PROMISC) != read.port.is_promiscuous:
        raise Conflict(f"cannot confirm bridge {bridge.name}: its promiscuous mode has changed")
    for name, interface in outside.items():
        port = host.get(name)
        if port is not None and port.index == link.parent and port.kind == "veth":
            checks.check_mac(port, interface)
            if port.master != bridge.index:
                raise Conflict(f"cannot confirm {name}: it is no port of {bridge.name}")
            return
    raise NotFound(f"cannot find the host end of {link.name} on bridge {bridge.name}")
