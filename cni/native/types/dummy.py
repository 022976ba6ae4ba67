"""Type `dummy`: an interface of the sandbox that drops all it is sent, to carry addresses.

Keys, results and kernel state are the reference plugin's; a failed ADD leaves nothing.
"""

from __future__ import annotations

from dataclasses import replace

from cni.native import checks
from cni.native.interface import on_interface, require_netns
from cni.native.link_steps import CreateLink, ReadSandbox, configure_link, take_addresses
from cni.native.plugin import LinkType
from cni.native.steps import Steps
from cni.net.configure import Setup
from cni.net.new_links import new_dummy
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Interface, Result


class Dummy(LinkType):
    """Plugin type `dummy`."""

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Create the interface, get its addresses, configure it.

        Raises:
            PlanesError: it cannot be done.
        """
        require_netns(call)
        _require_ipam(conf)
        yield from CreateLink(call.ifname, new_dummy)
        given = yield from take_addresses(call, conf)
        interface = Interface(call.ifname, sandbox=call.netns)
        result = on_interface(replace(given, interfaces=(interface,)), 0)
        link = yield from configure_link(Setup(call.ifname, result))
        return replace(result, interfaces=(replace(interface, mac=link.mac),))

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare the interface with the prevResult; as the reference, without its routes.

        Raises:
            PlanesError: it differs.
        """
        require_netns(call)
        _require_ipam(conf)
        previous = checks.previous_result(conf)
        facts = yield from ReadSandbox()
        link = checks.check_interface(facts, call, previous, "dummy")
        if not link.is_up:
            raise Conflict(f"cannot confirm {link.name}: it is down")
        checks.check_addresses(facts, link, previous)


def _require_ipam(conf: NetConf) -> None:
    if not conf.ipam_type:
        raise BadInput(
            "cannot use type dummy: it requires an IPAM configuration",
            remedy='add "ipam", for example of type static',
        )
