"""Type `macvlan`: an interface of its own MAC on a master, of the host or of the sandbox.

Keys, results and kernel state are the reference plugin's; a failed ADD leaves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from cni.native import checks
from cni.native.interface import MacSources, chosen_mac, on_interface, require_netns
from cni.native.link_steps import (
    CreateLink,
    ReadSandbox,
    configure_link,
    take_addresses,
)
from cni.native.on_master import MasterChoice, find_master_for, require_mtu
from cni.native.plugin import LinkType
from cni.native.steps import Steps
from cni.net.configure import ANNOUNCE, Setup
from cni.net.errors import MacInUse
from cni.net.links import Link
from cni.net.new_links import MACVLAN_MODES, new_macvlan
from cni.plugins.plugin import Call
from planes.model.errors import BadInput
from planes.model.wire.dns import parse_dns
from planes.model.wire.link_values import require_mode, require_number
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Dns, Interface, Result


@dataclass(frozen=True, slots=True)
class _MacvlanSettings:
    master: MasterChoice
    mode: int
    mtu: int
    mac: str
    bc_queue_length: int
    dns: Dns
    has_ipam: bool


def _settings(call: Call, conf: NetConf) -> _MacvlanSettings:
    fields = conf.fields()
    mode = require_mode("macvlan", fields.string("mode")) or "bridge"
    sources = MacSources.of(call, conf)
    return _MacvlanSettings(
        master=MasterChoice.of(conf),
        mode=MACVLAN_MODES[mode],
        mtu=fields.integer("mtu"),
        mac=chosen_mac(sources.runtime, sources.cni_args, sources.conf),
        bc_queue_length=require_number("bcqueuelen", fields.integer("bcqueuelen")),
        dns=parse_dns(fields.child("dns")),
        has_ipam=bool(conf.ipam_type),
    )


class Macvlan(LinkType):
    """Plugin type `macvlan`."""

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Create the interface, get its addresses, configure it.

        Raises:
            PlanesError: it cannot be done.
        """
        require_netns(call)
        settings = _settings(call, conf)
        master = yield from _master(settings)
        yield from CreateLink(
            call.ifname,
            partial(
                new_macvlan,
                master=master,
                mode=settings.mode,
                bc_queue_length=settings.bc_queue_length,
            ),
            settings.mac,
            settings.mtu,
            settings.master.is_inside,
        )
        interface = Interface(call.ifname, sandbox=call.netns)
        try:
            given = yield from take_addresses(call, conf)
            result = on_interface(replace(given, interfaces=(interface,), dns=settings.dns), 0)
            link = yield from configure_link(
                Setup(call.ifname, result, ANNOUNCE if settings.has_ipam else ())
            )
        except MacInUse as error:
            raise error.on(master.name) from error
        made = Interface(call.ifname, mac=link.mac, sandbox=call.netns)
        return Result((made,), result.ips, result.routes, result.dns)

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare the interface with the prevResult.

        Raises:
            PlanesError: it differs.
        """
        require_netns(call)
        settings = _settings(call, conf)
        previous = checks.previous_result(conf)
        yield from _master(settings)
        facts = yield from ReadSandbox()
        link = checks.check_interface(facts, call, previous, "macvlan")
        if link.data != settings.mode:
            raise BadInput(f"cannot confirm {call.ifname}: its macvlan mode has changed")
        checks.check_addresses(facts, link, previous)
        checks.check_routes(facts, link, previous)


def _master(settings: _MacvlanSettings) -> Steps[Link]:
    master = yield from find_master_for(settings.master)
    require_mtu(settings.mtu, master, settings.master)
    return master
