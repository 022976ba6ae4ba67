"""Type `ipvlan`: an interface with its master's MAC, of the host or of the sandbox.

Alone it gets addresses from its IPAM; behind another plugin it may take over those of the
prevResult, and the one interface of the prevResult as its master. Keys, results and kernel state
are the reference plugin's; a failed ADD leaves nothing, and DEL does not need the master.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from cni.native import checks
from cni.native.interface import on_interface, require_netns
from cni.native.link_steps import CreateLink, ReadSandbox, configure_link, take_addresses
from cni.native.on_master import MasterChoice, find_master_for
from cni.native.plugin import LinkType
from cni.native.steps import Steps
from cni.net.configure import ANNOUNCE, Setup
from cni.net.new_links import IPVLAN_MODES, new_ipvlan
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict
from planes.model.wire.dns import parse_dns
from planes.model.wire.link_values import require_mode, require_number
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Dns, Interface, Result


@dataclass(frozen=True, slots=True)
class _IpvlanSettings:
    master: MasterChoice
    mode: int
    mtu: int
    dns: Dns


def _settings(conf: NetConf) -> _IpvlanSettings:
    fields = conf.fields()
    return _IpvlanSettings(
        master=MasterChoice.of(conf),
        mode=IPVLAN_MODES[require_mode("ipvlan", fields.string("mode")) or "l2"],
        mtu=require_number("mtu", fields.integer("mtu")),
        dns=parse_dns(fields.child("dns")),
    )


class Ipvlan(LinkType):
    """Plugin type `ipvlan`."""

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Create the interface, get its addresses, configure it.

        Raises:
            PlanesError: it cannot be done.
        """
        require_netns(call)
        settings = _settings(conf)
        previous = conf.prev_result()
        choice = _master(settings.master, previous)
        inherited = _inherited(conf, previous)
        master = yield from find_master_for(choice)
        yield from CreateLink(
            call.ifname,
            partial(new_ipvlan, master=master, mode=settings.mode),
            mtu=settings.mtu,
            is_inside=choice.is_inside,
        )
        given = inherited or (yield from take_addresses(call, conf))
        interface = Interface(call.ifname, sandbox=call.netns)
        result = on_interface(replace(given, interfaces=(interface,), dns=settings.dns), 0)
        link = yield from configure_link(Setup(call.ifname, result, ANNOUNCE))
        return replace(result, interfaces=(replace(interface, mac=link.mac),))

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare the interface with the prevResult.

        Without a name the master is not looked for: the prevResult is that of this plugin, and an
        ipvlan exists no longer than its master.

        Raises:
            PlanesError: it differs.
        """
        require_netns(call)
        settings = _settings(conf)
        previous = checks.previous_result(conf)
        if settings.master.name:
            yield from find_master_for(settings.master)
        facts = yield from ReadSandbox()
        link = checks.check_interface(facts, call, previous, "ipvlan")
        if link.data != settings.mode:
            raise Conflict(
                f"cannot confirm {call.ifname}: its ipvlan mode has changed, which another "
                "ipvlan on its master does to all",
                remedy="give all ipvlans on one master the same mode",
            )
        checks.check_addresses(facts, link, previous)
        checks.check_routes(facts, link, previous)


def _master(choice: MasterChoice, previous: Result | None) -> MasterChoice:
    """Return the master; where none is named, the one interface of a previous plugin.

    An interface of the sandbox is not looked for on the node: the pod chooses its name.

    Raises:
        BadInput: the previous plugin has several interfaces or none, or one in the sandbox.
    """
    if choice.name or previous is None:
        return choice
    names = tuple(_named(previous, choice))
    if len(previous.interfaces) != 1 or len(names) != 1:
        place = "sandbox" if choice.is_inside else "node"
        raise BadInput(
            "cannot choose the master of an ipvlan: the previous plugin's result has not exactly "
            f"one interface with a name on the {place}",
            remedy='set "master"',
        )
    return replace(choice, name=names[0])


def _named(previous: Result, choice: MasterChoice) -> Iterator[str]:
    for one in previous.interfaces:
        if one.name and (choice.is_inside or not one.sandbox):
            yield one.name


def _inherited(conf: NetConf, previous: Result | None) -> Result | None:
    """Return the previous plugin's result where its addresses are taken over, None otherwise.

    Raises:
        BadInput: there are none, and no IPAM type gives any.
    """
    if conf.ipam_type:
        return None
    if previous is not None and previous.ips:
        return previous
    raise BadInput(
        "cannot make an ipvlan without addresses: it has no ipam, and no plugin before it gave any",
        remedy="give it an ipam, or use macvlan",
    )
