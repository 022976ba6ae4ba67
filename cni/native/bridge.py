"""Type `bridge`: a veth pair with one end in the sandbox and the other a port of a bridge.

Keys, results, rules and kernel state are the reference plugin's. The bridge itself stays, with
its address, as it does there: other sandboxes may be using it already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from cni.ipam.ipams import Ipams
from cni.native import checks
from cni.native.attaching import Steps
from cni.native.bridge_conf import (
    BridgeConf,
    read_bridge_conf,
    why_unsupported,
    with_gateways,
)
from cni.native.interface import on_interface, require_netns
from cni.native.masquerade import Masquerade, Masqueraded
from cni.native.one_interface import OneInterface
from cni.native.rollback import rollback
from cni.net.bridges import add_port, be_gateway, is_forwarding, look_at_port
from cni.net.configure import Setup, bring_up
from cni.net.kernel import Kernel
from cni.net.links import IFF_PROMISC, Link, get_links, read_links
from cni.net.workers import Sandbox, Worker
from cni.plugin import Call
from planes.model.addresses import IPInterface, parse_interface
from planes.model.errors import BadInput, Conflict, Internal, NotFound
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Interface, Result

# The kernel reports a port as up some time after it is; the reference waits as long in all.
_PORT_WAITS_SECONDS = (0.002, 0.008, 0.04, 0.5, 1.0, 1.0)
_SANDBOX_INTERFACE = 2  # position in the result: bridge, host end, sandbox end


@dataclass(frozen=True, slots=True)
class _Made:
    """An attachment as one job left it; what has to be waited for comes after."""

    bridge: Link
    host: Link
    link: Link
    setup: Setup
    must_settle: bool


class Bridge(OneInterface):
    """The type."""

    def __init__(self, kernel: Kernel, ipams: Ipams, masquerade: Masquerade) -> None:
        super().__init__(kernel, ipams)
        self._masquerade = masquerade

    def unsupported(self, conf: NetConf) -> str:
        """Why this netconf must go to the binary; "" where we can do it."""
        return why_unsupported(conf)

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Attach.

        Raises:
            PlanesError: it cannot be done; nothing but the bridge is left of it.
        """
        require_netns(call)
        read = read_bridge_conf(call, conf)
        steps = Steps(
            create=lambda worker, sandbox: add_port(
                worker, sandbox, call.ifname, read.mac, read.port
            ),
            finish=lambda worker, sandbox, made, given: _finish(
                worker, sandbox, made, given, call=call, read=read
            ),
        )
        async with rollback() as undo:
            made = await self._attaching.carry_out(call, conf, steps, undo)
            if made.must_settle:
                await self._kernel.settle(call.netns, made.setup, made.link)
            if read.has_ipam and read.has_masquerade:
                who = _masqueraded(call, conf, made.setup.result)
                undo.push(lambda: self._masquerade.remove(who))
                await self._masquerade.add(who, read.masquerade_backend)
            bridge, host = await self._wait_for_port(read, made)
        result = made.setup.result
        return replace(
            result,
            interfaces=(
                Interface(bridge.name, mac=bridge.mac),
                Interface(host.name, mac=host.mac),
                Interface(call.ifname, mac=made.link.mac, sandbox=call.netns),
            ),
            dns=result.dns if read.dns is None else read.dns,
        )

    async def _wait_for_port(self, read: BridgeConf, made: _Made) -> tuple[Link, Link]:
        bridge, host = made.bridge, made.host
        for seconds in () if read.is_left_down else _PORT_WAITS_SECONDS:
            if is_forwarding(host):
                break
            await asyncio.sleep(seconds)
            bridge, host = await self._kernel.run(
                lambda worker: look_at_port(worker, made.bridge.name, made.host.name)
            )
        if not read.is_left_down and not is_forwarding(host):
            raise Internal(f"cannot use bridge {bridge.name}: bridge port in error state: down")
        return bridge, host

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

    async def release(self, call: Call, conf: NetConf) -> None:
        """Give back addresses and take masquerading rules away.

        Raises:
            PlanesError: something is left.
        """
        if not conf.ipam_type:
            return
        try:
            await super().release(call, conf)
        finally:
            if conf.fields().boolean("ipMasq"):
                await self._masquerade.remove(_masqueraded(call, conf, _known_result(conf)))

    def local_release(self, call: Call, conf: NetConf) -> Callable[[], None] | None:
        """Give `release` as one blocking step, where there are no rules to take away."""
        if conf.ipam_type and conf.fields().boolean("ipMasq"):
            return None
        return super().local_release(call, conf)


def _finish(
    worker: Worker,
    sandbox: Sandbox,
    made: tuple[Link, str],
    given: Result,
    *,
    call: Call,
    read: BridgeConf,
) -> _Made:
    bridge, host_name = made
    interfaces = (
        Interface(bridge.name),
        Interface(host_name),
        Interface(call.ifname, sandbox=call.netns),
    )
    gateways: tuple[IPInterface, ...] = ()
    if read.has_ipam:
        given, gateways = with_gateways(read, given)
        result = on_interface(replace(given, interfaces=interfaces), _SANDBOX_INTERFACE)
        setup = Setup(call.ifname, result, read.sysctls)
    else:
        setup = Setup(call.ifname, Result(interfaces), is_up=not read.is_left_down)
    link, must_settle = bring_up(sandbox, setup)
    if gateways:
        be_gateway(worker, bridge, gateways, is_forced=read.is_address_forced)
    bridge, host = look_at_port(worker, bridge.name, host_name)
    return _Made(bridge, host, link, setup, must_settle)


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
