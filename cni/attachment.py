"""One attachment as planned, journaled and torn down: everything DEL needs, and nothing live.

Invariant: immutable, and complete: `chain` carries it out and `detach` reverses it without asking
the store, the CNI conf dir or the pod again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planes.model.errors import JsonObject
from planes.model.spec.plane_spec import Plane
from planes.model.wire.netconf import ConfList
from planes.model.wire.result import Result


@dataclass(frozen=True, slots=True)
class PlannedAttachment:
    """One interface of one sandbox from one network.

    Attributes:
        network: its name in status and events: the CNI network name of the default network,
            `<namespace>/<name>` of a NAD.
        conflist: the whole configuration, unknown keys included.
        ifname: the interface in the sandbox.
        cni_args: CNI_ARGS, in order.
        capability_args: what is offered to plugins that declare the capability.
        args: merged into `args.cni` of every plugin (a selection's cni-args).
        candidates: addresses of which plane IPAM takes the first free one.
        ips: the addresses asked for, "" prefix length allowed.
        default_route: gateways whose families' default routes it takes.
        plane: the plane it belongs to, "" for none.
        holds: addresses it may have of planes on whose wires it is, by plane.
        guards: planes on its wires of which it may have no other address; not journaled, as they
            count while it is made.
        is_default: the default network.
        result: what ADD gave; None before that.
    """

    network: str
    conflist: ConfList
    ifname: str
    cni_args: tuple[tuple[str, str], ...] = ()
    capability_args: Mapping[str, Any] = field(default_factory=dict)
    args: Mapping[str, Any] = field(default_factory=dict)
    candidates: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    default_route: tuple[str, ...] = ()
    plane: str = ""
    holds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    guards: tuple[Plane, ...] = ()
    is_default: bool = False
    result: Result | None = None

    @property
    def is_cluster_network(self) -> bool:
        """True for the default network as the administrator set it up, not a NAD in its place."""
        return self.is_default and "/" not in self.network  # no network's own name has a slash

    @property
    def stands_on_others(self) -> bool:
        """True where its master is an interface inside the sandbox, made by an earlier one."""
        return any(bool(plugin.raw.get("linkInContainer")) for plugin in self.conflist.plugins)

    @property
    def is_confined(self) -> bool:
        """Whether its plugins may keep files below the allowed directories only.

        The default network from the conf dir is a file of the node's administrator (a NAD that a
        pod names instead has a namespace, and so a slash in its name). What has a result was
        attached before, perhaps by a release that allowed more: it must be taken back all the same.
        """
        return not self.is_cluster_network and self.result is None

    def to_json(self) -> JsonObject:
        """Give the journaled form; the conflist as text, so that no byte of it is touched."""
        return {
            "network": self.network,
            "ifname": self.ifname,
            "config": self.conflist.encode().decode(),
            "cniArgs": [list(pair) for pair in self.cni_args],
            "capabilityArgs": dict(self.capability_args),
            "args": dict(self.args),
            "candidates": list(self.candidates),
            "ips": list(self.ips),
            "defaultRoute": list(self.default_route),
            "plane": self.plane,
            "holds": {name: list(held) for name, held in self.holds.items()},
            "default": self.is_default,
            "result": self.result.to_version("1.1.0") if self.result is not None else None,
        }


def waves(
    attachments: Sequence[PlannedAttachment],
) -> tuple[tuple[PlannedAttachment, ...], ...]:
    """Group attachments into those that may be made at once, in order.

    The default network comes first (planes may route around it), then all planes together, then
    one by one what stands on an interface that another attachment brings.
    """
    first = tuple(a for a in attachments if a.is_default)
    together = tuple(a for a in attachments if not a.is_default and not a.stands_on_others)
    alone = tuple((a,) for a in attachments if not a.is_default and a.stands_on_others)
    return tuple(wave for wave in (first, together, *alone) if wave)
