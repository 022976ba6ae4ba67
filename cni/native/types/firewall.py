"""Type `firewall`: packets of and to an attachment's addresses pass the host's FORWARD chain.

Backend `iptables`, with the chains and rules of the reference plugin; firewalld is left to the
binary. As there, the rules of an ingressPolicy are those of a bridge, and stay. Invariant: removal
needs neither prevResult nor link; a failed ADD leaves no rule of the attachment.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from cni.native.chained import ChainedType, chained_result
from cni.native.iptables_rules import check_chain
from cni.native.packet_filter import PacketFilter
from cni.native.steps import KernelStep, StepContext, Steps
from cni.native.types.firewall_rules import FirewallRules, record_chain, shared_rules
from cni.net.links import find_link, read_links
from cni.plugins.plugin import Call
from planes.model.addresses import IPAddress, parse_interface
from planes.model.errors import BadInput, CniCode
from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

_OPEN: Final = ("", "open")
_OF_A_BRIDGE: Final = ("same-bridge", "isolated")
_ADMIN_CHAIN: Final = "CNI-ADMIN"
# The first is there while systemd runs the unit, the others where another init does.
_FIREWALLD: Final = (
    "/run/systemd/units/invocation:firewalld.service",
    "/run/firewalld.pid",
    "/var/run/firewalld.pid",
)


@dataclass(frozen=True, slots=True)
class RequireBridge(KernelStep[None]):
    """Check that a link of the host is a bridge; rules of another link would stay without use."""

    name: str
    policy: str

    def do(self, context: StepContext) -> None:
        """Look at it.

        Raises:
            BadInput: it is none.
        """
        (found,) = context.host.batch([find_link(self.name)])
        if not any(link.kind == "bridge" for link in read_links(found)):
            raise BadInput(
                f"cannot apply ingressPolicy {self.policy}: {self.name} is no bridge of this node",
                remedy='chain "firewall" with "bridge", or leave ingressPolicy out',
            )


class Firewall(ChainedType):
    """Plugin type `firewall`.

    Args:
        packet_filter: of the host.
        root: path of the host's root directory; "" where it is ours.
    """

    def __init__(self, packet_filter: PacketFilter, root: str) -> None:
        self._filter = packet_filter
        self._rules = FirewallRules(packet_filter.tools)
        self._root = root

    def unsupported(self, conf: NetConf) -> str:
        """Return why a netconf needs the binary; "" where it does not."""
        if not at_least(conf.cni_version, "0.4.0"):
            return "a CNI version that the reference refuses"
        backend = conf.fields().raw("backend")
        if backend == "firewalld":
            return "firewalld"
        if backend != "iptables" and self._has_firewalld():
            return "firewalld, which runs on this node"
        return ""

    def _has_firewalld(self) -> bool:
        return any(os.path.lexists(f"{self._root}{path}") for path in _FIREWALLD)

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Return True: rules are removed by `detach`."""
        return True

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Add the rules.

        Raises:
            PlanesError: it cannot be done; no rule of the attachment is left.
        """
        previous = chained_result(conf)
        conf.fields().string("backend")  # what is neither backend is the default, as there
        policy, bridge = _policy(conf, previous)
        shared = shared_rules(_admin_chain(conf), policy, bridge)
        if bridge:
            yield from RequireBridge(bridge, policy)
        addresses = _addresses(previous)
        if addresses:
            record = record_chain(conf.name, call.container_id, call.ifname)
            yield from self._filter.change(
                call,
                partial(self._rules.add, record, addresses, shared),
                partial(self._rules.remove, record, ()),
            )
        return previous

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Check that the rules of the addresses exist; those of a policy are not compared.

        Raises:
            PlanesError: one is missing.
        """
        previous = chained_result(conf)
        shared = shared_rules(_admin_chain(conf), "", "")
        yield from self._filter.change(
            call, partial(self._rules.check, _addresses(previous), shared)
        )

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Remove the rules of what is recorded of the attachment, else of the prevResult.

        Raises:
            PlanesError: a rule may be left.
        """
        record = record_chain(conf.name, call.container_id, call.ifname)
        yield from self._filter.change(
            call, partial(self._rules.remove, record, _known_addresses(conf))
        )


def _policy(conf: NetConf, previous: Result) -> tuple[str, str]:
    """Return the ingressPolicy and its bridge, both "" where all may come in.

    Raises:
        BadInput: there is no such policy, or no bridge.
    """
    policy = conf.fields().string("ingressPolicy")
    if policy not in (*_OPEN, *_OF_A_BRIDGE):
        raise BadInput(
            f"cannot use the firewall: unknown ingress policy: {policy!r}",
            remedy="use one of open, same-bridge, isolated",
            code=CniCode.INTERNAL,
        )
    if policy in _OPEN:
        return "", ""
    first = previous.interfaces[0] if previous.interfaces else None
    # The first interface of type bridge is the bridge; that of others is in the sandbox, and a
    # link of the host that has the same name is another one.
    if first is None or not first.name or first.sandbox:
        raise BadInput(
            f"cannot apply ingressPolicy {policy}: interface needs to be set, and to be a bridge",
            remedy='chain "firewall" with "bridge", or leave ingressPolicy out',
            code=CniCode.INTERNAL,
        )
    return policy, first.name


def _admin_chain(conf: NetConf) -> str:
    chain = conf.fields().string("iptablesAdminChainName")
    return check_chain(chain, "use the firewall", "iptablesAdminChainName") or _ADMIN_CHAIN


def _addresses(previous: Result) -> Sequence[IPAddress]:
    """Return all addresses of a result, each once; as there, whichever interface they are on."""
    return tuple(dict.fromkeys(parse_interface(one.address).ip for one in previous.ips))


def _known_addresses(conf: NetConf) -> Sequence[IPAddress]:
    """Return the addresses of the prevResult; none where it is missing or cannot be read."""
    try:
        return _addresses(conf.prev_result() or Result())
    except BadInput:
        return ()
