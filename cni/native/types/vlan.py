"""Type `vlan`: an interface for one 802.1Q VLAN of a master, of the host or of the sandbox.

Keys, results and kernel state are the reference plugin's (1.10, which needs no IPAM). A failed ADD
leaves nothing, and DEL does not need the master.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from cni.native import checks
from cni.native.interface import on_interface, require_netns
from cni.native.link_steps import CreateLink, ReadSandbox, configure_link, take_addresses
from cni.native.on_master import MasterChoice, find_master_for, require_mtu
from cni.native.plugin import LinkType
from cni.native.steps import Steps
from cni.net.configure import Setup
from cni.net.new_links import new_vlan
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict
from planes.model.wire.dns import parse_dns
from planes.model.wire.link_values import require_number
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Dns, Interface, Result


@dataclass(frozen=True, slots=True)
class _VlanSettings:
    master: MasterChoice
    vlan: int
    mtu: int
    dns: Dns


def _settings(conf: NetConf) -> _VlanSettings:
    fields = conf.fields()
    master = MasterChoice.of(conf)
    if not master.name:
        raise BadInput(
            'cannot make a VLAN interface: "master" is missing',
            remedy="name the interface that the VLAN is on",
        )
    return _VlanSettings(
        master=master,
        vlan=require_number("vlanId", fields.integer("vlanId")),
        mtu=require_number("mtu", fields.integer("mtu")),
        dns=parse_dns(fields.child("dns")),
    )


class Vlan(LinkType):
    """Plugin type `vlan`."""

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Create the interface, get its addresses, configure it.

        Raises:
            PlanesError: it cannot be done.
        """
        require_netns(call)
        settings = _settings(conf)
        master = yield from find_master_for(settings.master)
        require_mtu(settings.mtu, master, settings.master)
        yield from CreateLink(
            call.ifname,
            partial(new_vlan, master=master, vlan=settings.vlan),
            mtu=settings.mtu,
            is_inside=settings.master.is_inside,
        )
        given = yield from take_addresses(call, conf)
        interface = Interface(call.ifname, sandbox=call.netns)
        result = on_interface(replace(given, interfaces=(interface,), dns=settings.dns), 0)
        link = yield from configure_link(Setup(call.ifname, result))
        return replace(result, interfaces=(replace(interface, mac=link.mac),))

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare the interface with the prevResult.

        Raises:
            PlanesError: it differs.
        """
        require_netns(call)
        settings = _settings(conf)
        previous = checks.previous_result(conf)
        yield from find_master_for(settings.master)
        facts = yield from ReadSandbox()
        link = checks.check_interface(facts, call, previous, "vlan")
        if link.data != settings.vlan:
            raise Conflict(
                f"cannot confirm {call.ifname}: its VLAN is {link.data}, not {settings.vlan}"
            )
        if settings.mtu and link.mtu != settings.mtu:
            raise Conflict(
                f"cannot confirm {call.ifname}: its MTU is {link.mtu}, not {settings.mtu}"
            )
        checks.check_addresses(facts, link, previous)
        checks.check_routes(facts, link, previous)
