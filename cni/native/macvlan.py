"""Type `macvlan`: an interface of its own MAC on a master device of the host.

Keys, results and kernel state are the reference plugin's; a failed ADD leaves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cni.native import checks
from cni.native.attaching import Steps
from cni.native.interface import (
    MacSources,
    chosen_mac,
    on_interface,
    require_netns,
)
from cni.native.one_interface import OneInterface
from cni.native.rollback import rollback
from cni.net.configure import ANNOUNCE, Setup, bring_up
from cni.net.links import (
    MACVLAN_MODES,
    Link,
    Placement,
    new_macvlan,
)
from cni.net.masters import find_master
from cni.net.placement import place
from cni.net.workers import Sandbox, Worker
from cni.plugin import Call
from planes.model.errors import BadInput
from planes.model.wire.dns import parse_dns
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Dns, Interface, Result

_MAX_QUEUE_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Settings:
    master: str
    mode: int
    mtu: int
    mac: str
    bc_queue_length: int
    dns: Dns
    has_ipam: bool


def _settings(call: Call, conf: NetConf) -> _Settings:
    fields = conf.fields()
    mode = fields.string("mode") or "bridge"
    if mode not in MACVLAN_MODES:
        raise BadInput(
            f"cannot use macvlan mode {mode!r}",
            remedy=f"use one of {', '.join(sorted(MACVLAN_MODES))}",
        )
    queue_length = fields.integer("bcqueuelen")
    if not 0 <= queue_length <= _MAX_QUEUE_LENGTH:
        raise BadInput(f"cannot use bcqueuelen {queue_length}: it does not fit in 32 bits")
    sources = MacSources.of(call, conf)
    return _Settings(
        master=fields.string("master"),
        mode=MACVLAN_MODES[mode],
        mtu=fields.integer("mtu"),
        mac=chosen_mac(sources.runtime, sources.cni_args, sources.conf),
        bc_queue_length=queue_length,
        dns=parse_dns(fields.child("dns")),
        has_ipam=bool(conf.ipam_type),
    )


def _find_master(worker: Worker, settings: _Settings) -> Link:
    master = find_master(worker, settings.master)
    if not 0 <= settings.mtu <= master.mtu:
        raise BadInput(
            f"cannot use MTU {settings.mtu}: it must be from 0 to that of {master.name},"
            f" {master.mtu}"
        )
    return master


class Macvlan(OneInterface):
    """The type."""

    def unsupported(self, conf: NetConf) -> str:
        """Why this netconf must go to the binary; "" where we can do it."""
        return "linkInContainer" if conf.fields().boolean("linkInContainer") else ""

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Attach.

        Raises:
            PlanesError: it cannot be done; nothing is left of it.
        """
        require_netns(call)
        settings = _settings(call, conf)
        steps = Steps(
            create=lambda worker, sandbox: _create(worker, sandbox, call, settings),
            finish=lambda _worker, sandbox, _made, given: _finish(sandbox, call, settings, given),
        )
        async with rollback() as undo:
            link, setup, must_wait = await self._attaching.carry_out(call, conf, steps, undo)
            if must_wait:
                await self._kernel.settle(call.netns, setup, link)
        interface = Interface(call.ifname, mac=link.mac, sandbox=call.netns)
        return replace(setup.result, interfaces=(interface,))

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the kernel differs from the prevResult.

        Raises:
            PlanesError: it does.
        """
        require_netns(call)
        settings = _settings(call, conf)
        if settings.has_ipam:
            await self._ipams.check(call, conf)
        previous = checks.previous_result(conf)
        await self._kernel.run(lambda worker: _find_master(worker, settings))
        facts = await self._kernel.facts(call.netns)
        link = checks.check_interface(facts, call, previous, "macvlan")
        if link.data != settings.mode:
            raise BadInput(f"cannot confirm {call.ifname}: its macvlan mode has changed")
        checks.check_addresses(facts, link, previous)
        checks.check_routes(facts, previous)


def _create(worker: Worker, sandbox: Sandbox, call: Call, settings: _Settings) -> None:
    master = _find_master(worker, settings)
    to = Placement(call.ifname, sandbox.fd, settings.mac, settings.mtu)
    place(
        worker,
        sandbox,
        to,
        lambda at: new_macvlan(
            at, master=master, mode=settings.mode, bc_queue_length=settings.bc_queue_length
        ),
    )


def _finish(
    sandbox: Sandbox, call: Call, settings: _Settings, given: Result
) -> tuple[Link, Setup, bool]:
    interface = Interface(call.ifname, sandbox=call.netns)
    result = on_interface(replace(given, interfaces=(interface,), dns=settings.dns), 0)
    setup = Setup(call.ifname, result, ANNOUNCE if settings.has_ipam else ())
    link, must_wait = bring_up(sandbox, setup)
    return link, setup, must_wait
