"""Propose a Plane for each network that several pods, namespaces or NADs share.

A proposal has what NADs say, and comments on what their configurations do not decide. What the
webhook would not accept of it is a comment, too. Of chained plugins only the types are named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from planes.cli.migrate.nad_report import Handling, MigratedNad
from planes.cli.migrate.proposed_subnets import (
    MOST_RANGES,
    MOST_SUBNETS,
    ProposedSubnet,
    proposed_subnets,
)
from planes.model.errors import JsonObject
from planes.model.lines import first_few, one_line
from planes.model.names import NETPLANE_NAMESPACE, PLANE_LABEL_PREFIX, RESOURCE_NAME_ANNOTATION
from planes.model.spec.plane import API_VERSION, find_plane_faults
from planes.model.spec.plane_spec import Plane
from planes.model.wire.link_values import LINK_MODES

_TYPED: Final = frozenset({"macvlan", "ipvlan", "bridge", "vlan", "sriov", "host-device"})
_DEVICES: Final = frozenset({"sriov", "host-device"})
"""Types whose interface is a device; that of another type stands on its master in any case."""
_MASTER_KEYS: Final = {"bridge": "bridge", "host-device": "device"}
_LONGEST_NAME: Final = 40
_LONGEST_COMMENT: Final = 400
_SHOWN: Final = 8
MOST_PROPOSALS: Final = 200

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A Plane, and what is to be decided about it."""

    obj: JsonObject
    comments: tuple[str, ...]

    def text(self) -> str:
        """Return it as YAML, the comments before it."""
        head = "".join(f"# {one_line(each, _LONGEST_COMMENT)}\n" for each in self.comments)
        return head + yaml.safe_dump(self.obj, sort_keys=False, default_flow_style=None)

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {"plane": self.obj, "decide": list(self.comments)}


def propose(nads: Iterable[MigratedNad], planes: Collection[Plane] = ()) -> list[Proposal]:
    """Return the proposals, in the order of their NADs; none for what is a plane already.

    Args:
        nads: all that were read.
        planes: those that are there.
    """
    there = {key for plane in planes for key in _of_plane(plane)}
    groups: dict[_Key, list[MigratedNad]] = {}
    for nad in nads:
        if nad.facts.is_known and not nad.facts.fault:
            groups.setdefault(_wire(nad), []).append(nad)
    names = {plane.name for plane in planes}
    shared = [group for key, group in groups.items() if key not in there and _is_shared(group)]
    return [_proposal(group, names) for group in shared[:MOST_PROPOSALS]]


def _wire(nad: MigratedNad) -> _Key:
    """Return what NADs of one network have in common; what no plane describes stands alone."""
    facts = nad.facts
    kind = facts.type
    if kind not in _TYPED or proposed_subnets([facts], ()) is None:
        return "", nad.nad.namespace, nad.nad.name
    master = str(facts.main.get(_MASTER_KEYS.get(kind, "master")) or "")
    resource = nad.nad.annotations.get(RESOURCE_NAME_ANNOTATION, "")
    if resource and kind in _DEVICES:  # the device plugin picks the device
        master = ""
    return kind, f"{master}|{resource}", str(_vlan(facts.main) or 0)


def _of_plane(plane: Plane) -> Iterator[_Key]:
    """Yield the key of the NADs that a plane replaces."""
    if plane.nad_ref is not None:
        yield "", plane.nad_ref.namespace, plane.nad_ref.name
    if (network := plane.network) is not None:
        where = "|" if network.resource_name else f"{network.master}|"
        yield network.type, where + network.resource_name, str(network.vlan or 0)


def _is_shared(group: Sequence[MigratedNad]) -> bool:
    return len(group) > 1 or group[0].use.pods > 1 or len(group[0].use.namespaces) > 1


def _proposal(group: Sequence[MigratedNad], names: set[str]) -> Proposal:
    first = group[0]
    name = _name(first.nad.name, names)
    asked = {ip for nad in group for ip in nad.use.ips}
    subnets = proposed_subnets([nad.facts for nad in group], asked)
    comments = list(_about(group, name))
    if first.facts.type not in _TYPED or subnets is None:
        spec, more = _of_nad(first)
    else:
        spec, more = _typed(group, subnets)
    comments += more
    obj = {"apiVersion": API_VERSION, "kind": "Plane", "metadata": {"name": name}, "spec": spec}
    _, faults = find_plane_faults(obj)
    comments += [f"Not accepted as it is: {fault}" for fault in faults[:_SHOWN]]
    return Proposal(obj, tuple(comments))


def _about(group: Sequence[MigratedNad], name: str) -> Iterator[str]:
    pods = sum(nad.use.pods for nad in group)
    spaces = sorted({space for nad in group for space in nad.use.namespaces})
    listed = first_few([nad.nad.ref for nad in group], _SHOWN)
    count = f"{pods} pod{'' if pods == 1 else 's'}"
    places = f"{len(spaces)} namespace{'' if len(spaces) == 1 else 's'}"
    yield f"From NAD{'s' if len(group) > 1 else ''} {listed}: {count} of {places}."
    if spaces:
        label = f"{PLANE_LABEL_PREFIX}{name}=enabled"
        yield f"Namespaces join by: kubectl label namespace {' '.join(spaces[:_SHOWN])} {label}"
    yield (
        f"Pods that ask name it {NETPLANE_NAMESPACE}/{name}; without `attachment: OnRequest` all "
        "pods of its namespaces get it unasked."
    )


def _of_nad(nad: MigratedNad) -> tuple[JsonObject, list[str]]:
    """Return a plane over the NAD itself: its type or its IPAM is no plane's."""
    ref = {"namespace": nad.nad.namespace, "name": nad.nad.name}
    spec = {"attachment": "OnRequest", "network": {"nadRef": ref}, "ipam": {"mode": "NAD"}}
    kinds = " ".join(nad.types[:1])
    why = f"Decide: {kinds} stays as the NAD says it, addresses too; a plane of a type of its own "
    return spec, [f"{why}would hand out each address once."]


def _typed(
    group: Sequence[MigratedNad], subnets: Sequence[ProposedSubnet]
) -> tuple[JsonObject, list[str]]:
    first = group[0]
    network, comments = _network(group)
    spec: JsonObject = {"attachment": "OnRequest", "network": network}
    if subnets:
        spec["subnets"] = [each.as_json() for each in subnets[:MOST_SUBNETS]]
    spec["ipam"] = {"mode": "Plane" if subnets else "None"}
    if any(nad.facts.ipam_type == "static" for nad in group):
        spec["staticIPs"] = {"allow": "Any"}
    if not first.facts.ipam_type:
        comments.append("Decide: subnets; the NAD has no IPAM, so pods get no address.")
    elif not subnets:
        comments.append("Decide: subnets; the NAD names none, and no pod asks with a prefix.")
    return spec, [*comments, *_about_addresses(group, subnets)]


def _network(group: Sequence[MigratedNad]) -> tuple[JsonObject, list[str]]:
    main, kind = group[0].facts.main, group[0].facts.type
    named, comments = _master(group[0], kind)
    network: JsonObject = {"type": kind, **named}
    modes = sorted({mode for nad in group if isinstance(mode := nad.facts.main.get("mode"), str)})
    allowed = [mode for mode in modes if mode in LINK_MODES.get(kind, ())]
    if allowed:
        network["mode"] = allowed[0]
    if (vlan := _vlan(main)) is not None:
        network["vlan"] = vlan
    mtus = sorted({mtu for nad in group if _is_number(mtu := nad.facts.main.get("mtu")) and mtu})
    if mtus and kind not in _DEVICES:
        network["mtu"] = mtus[0]
    for what, values in (("mode", modes), ("mtu", mtus)):
        if len(values) > 1:
            comments.append(f"Decide: {what}; the NADs have {first_few(values, _SHOWN)}.")
    if chained := sorted({one for nad in group for one in nad.types[1:]}):
        listed = first_few(chained, _SHOWN)
        comments.append(f"Decide: network.plugins; {listed} come after it in a NAD.")
    network["shared"] = True
    comments.append("Remove `shared` once the NADs are gone: until then theirs may be on its wire.")
    return network, comments


def _master(nad: MigratedNad, kind: str) -> tuple[JsonObject, list[str]]:
    """Return what of the node a network is on, and what is to be decided about it."""
    resource = nad.nad.annotations.get(RESOURCE_NAME_ANNOTATION)
    named: JsonObject = {"resourceName": one_line(resource, 320)} if resource else {}
    if named and kind in _DEVICES:
        return named, []
    if kind == "sriov":
        return {}, ["Decide: resourceName, the device plugin's; a NAD's deviceID is one pod's."]
    master = nad.facts.main.get(_MASTER_KEYS.get(kind, "master"))
    if isinstance(master, str) and master:
        return {**named, "master": one_line(master, 64)}, []
    if kind == "bridge":
        return {**named, "master": "cni0"}, []
    return named, ["Decide: master; without it a node's default route says which it is."]


def _about_addresses(
    group: Sequence[MigratedNad], subnets: Sequence[ProposedSubnet]
) -> Iterator[str]:
    if len(subnets) > MOST_SUBNETS:
        yield f"Decide: {len(subnets)} subnets are in the NADs, a plane has {MOST_SUBNETS}."
    for each in subnets[:MOST_SUBNETS]:
        if len(each.gateways) > 1:
            yield f"Decide: gateway of {each.cidr}; the NADs have {len(each.gateways)}."
        if len(each.spans) > MOST_RANGES:
            yield f"Decide: ranges of {each.cidr}; not all of the NADs' are here."
    routes = sum(len(nad.facts.routes) for nad in group)
    if routes:
        yield f"Decide: routes and defaultRoute; the NADs have {routes} in their IPAM."
    ipams = {nad.facts.ipam_type for nad in group}
    if ipams & {"whereabouts", "host-local"}:
        yield (
            "Before pods get it: `netplane-cni adopt --plane NAME` on each node takes over the "
            "addresses that pods have (docs/addresses.md)."
        )
    if any(nad.handling is Handling.REFUSED for nad in group):
        yield "A NAD of it will be refused; pods that have the plane do not need it."


def _vlan(main: JsonObject) -> int | None:
    for key in ("vlanId", "vlan"):
        value: Any = main.get(key)
        if _is_number(value) and 0 < value < 4095:
            return int(value)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _name(text: str, names: set[str]) -> str:
    """Return a name for a plane that is not taken, and take it."""
    base = re.sub(r"[^a-z0-9]+", "-", text.lower())[:_LONGEST_NAME].strip("-") or "plane"
    name, number = base, 1
    while name in names:
        number += 1
        name = f"{base}-{number}"
    names.add(name)
    return name
