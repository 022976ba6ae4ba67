"""One attachment as planned, journaled and detached.

Invariant: immutable and complete: ADD, CHECK and DEL need neither the store, nor the CNI conf dir,
nor the pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from cni.plugins.attached_device import AttachedDevice
from planes.model.errors import JsonObject
from planes.model.spec.plane_spec import Plane
from planes.model.wire.netconf import ConfList, NetConf
from planes.model.wire.result import Result


@dataclass(frozen=True, slots=True)
class PlannedAttachment:
    """One interface of one sandbox from one network.

    Attributes:
        network: its name in status and events: the CNI network name of the default network,
            `<namespace>/<name>` of a NAD.
        conflist: the configuration, with unknown keys.
        ifname: the interface in the sandbox.
        cni_args: CNI_ARGS, in order.
        capability_args: runtimeConfig by capability, for plugins that declare the capability.
        args: merged into `args.cni` of every plugin (a selection's cni-args).
        candidates: addresses of which plane IPAM allocates the first free one.
        ips: the requested addresses, with or without prefix length.
        claim: the IPAMClaim of its pod's namespace that keeps its addresses, "" for none.
        default_route: gateways of the default routes through this interface.
        plane: its plane, "" for none.
        holds: addresses by plane that policy permits it in the subnets of planes on its wire.
        guards: planes on its wire of which it may have no other address; not journaled, as only
            ADD checks it.
        needs_carrier: its plane requires a master that is up; not journaled.
        is_chosen: a NAD that its pod names, of no plane; not journaled.
        warning: text of an event for its pod after ADD; not journaled.
        is_default: the default network.
        device: the device of a network whose NAD names a resource, or whose plugins write device
            information; None for any other.
        result: the result of ADD; None before that.
    """

    network: str
    conflist: ConfList
    ifname: str
    cni_args: tuple[tuple[str, str], ...] = ()
    capability_args: Mapping[str, Any] = field(default_factory=dict)
    args: Mapping[str, Any] = field(default_factory=dict)
    candidates: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    claim: str = ""
    default_route: tuple[str, ...] = ()
    plane: str = ""
    holds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    guards: tuple[Plane, ...] = ()
    needs_carrier: bool = False
    is_chosen: bool = False
    warning: str = ""
    is_default: bool = False
    device: AttachedDevice | None = None
    result: Result | None = None
    _netconfs: dict[int, NetConf] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def netconf(self, position: int, prev: Result | None = None) -> NetConf:
        """Return the netconf that one plugin reads on stdin: as libcni builds it, with args.cni.

        It is built once for the plan and the ADD, which ask for it without a previous result.

        Raises:
            BadInput: `args` of the plugin, or the previous result, has no form that can be passed.
        """
        if prev is not None:
            return self._bound(position, prev)
        found = self._netconfs.get(position)
        if found is None:
            found = self._netconfs[position] = self._bound(position, None)
        return found

    def _bound(self, position: int, prev: Result | None) -> NetConf:
        plugin = self.conflist.plugins[position]
        extra: dict[str, Any] = {}
        if self.args:
            args = plugin.fields().object("args") or {}
            extra["args"] = {**args, "cni": {**plugin.args_cni, **self.args}}
        return plugin.for_plugin(
            name=self.conflist.name,
            cni_version=self.conflist.cni_version,
            prev_result=prev,
            capability_args=self.capability_args,
            extra=extra,
        )

    @property
    def is_cluster_network(self) -> bool:
        """Report whether it is the default network of the conf dir, not a NAD that replaces it."""
        return self.is_default and "/" not in self.network  # no network's own name has a slash

    @property
    def lower_links(self) -> frozenset[str]:
        """Return the interfaces of the sandbox that its plugins need as lower devices."""
        return frozenset().union(*[plugin.lower_links for plugin in self.conflist.plugins])

    @property
    def is_confined(self) -> bool:
        """Report whether its plugins may keep files below the allowed directories only.

        Not so for the default network of the conf dir, which the administrator wrote. Nor for an
        attachment with a result: an earlier release may have allowed other directories, and the
        attachment must be detached all the same.
        """
        return not self.is_cluster_network and self.result is None

    def to_json(self) -> JsonObject:
        """Return the journaled form; the conflist is a string, which keeps its bytes unchanged."""
        return {
            "network": self.network,
            "ifname": self.ifname,
            "config": self.conflist.text,
            "cniArgs": [list(pair) for pair in self.cni_args],
            "capabilityArgs": dict(self.capability_args),
            "args": dict(self.args),
            "candidates": list(self.candidates),
            "ips": list(self.ips),
            **({"ipamClaim": self.claim} if self.claim else {}),
            "defaultRoute": list(self.default_route),
            "plane": self.plane,
            "holds": {name: list(held) for name, held in self.holds.items()},
            "default": self.is_default,
            **({} if self.device is None else {"device": self.device.to_json()}),
            "result": self.result.to_version("1.1.0") if self.result is not None else None,
        }


def in_order(attachments: Iterable[PlannedAttachment]) -> tuple[PlannedAttachment, ...]:
    """Return attachments in the order of their ADDs.

    The default network comes first (planes may route around it), then all others as listed. That
    is the order of Multus, and equal pods get equal interface indexes and default routes. Only an
    attachment whose lower device is the interface of a later one comes after that one.
    """
    listed = sorted(attachments, key=attrgetter("is_default"), reverse=True)
    lower = [one.lower_links - {one.ifname} for one in listed]
    if not any(lower):
        return tuple(listed)
    left = list(zip(listed, lower, strict=True))
    ordered: list[PlannedAttachment] = []
    while left:
        missing = {one.ifname for one, _needs in left}
        ready = (at for at, (_one, needs) in enumerate(left) if not needs & missing)
        ordered.append(left.pop(next(ready, 0))[0])
    return tuple(ordered)
