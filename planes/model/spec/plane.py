"""Read Plane objects (netplane.io/v1alpha1) into values (`planes.model.spec.plane_spec`).

All faults are found at once, with their field paths. A rule that this version does not enforce is
refused and not ignored (`unenforced`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planes.model.errors import Finding
from planes.model.names import is_dns_label, shown
from planes.model.spec import plane_parts as parts
from planes.model.spec.conflict_probe import read_conflict_probe
from planes.model.spec.plane_check import check_plane
from planes.model.spec.plane_macs import read_plane_macs
from planes.model.spec.plane_spec import (
    Allow,
    Attach,
    Deletion,
    Enforcement,
    IpamMode,
    Lifecycle,
    Plane,
)
from planes.model.spec.selector import Selector
from planes.model.spec.spec_reader import SpecReader, refuse
from planes.model.spec.unenforced import refuse_unenforced, split_stored

API_VERSION = "netplane.io/v1alpha1"
_SPEC = (
    "purpose namespaceSelector allNamespaces podSelector attachment interface order network subnets"
    " ipam staticIPs mac defaultRoute routes mtu bandwidth sysctls isolation quota enforcement"
    " dynamicAttach deletionPolicy"
)
_IPAM = "mode blockSize borrow cooldownSeconds lifecycle conflictDetection probe"
_MAX_INT = 2**31 - 1
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
"""As the API server writes `creationTimestamp`; such texts sort by time."""


def parse_plane(obj: Mapping[str, Any]) -> Plane:
    """Read a Plane object.

    Raises:
        BadInput: it has faults; the text lists all of them, with field paths.
    """
    plane, findings = find_plane_faults(obj)
    refuse(f"plane {plane.name or '(no name)'}", findings)
    return plane


def parse_stored_plane(obj: Mapping[str, Any]) -> Plane:
    """Read a Plane object of an API server, which an earlier version may have let in.

    Raises:
        BadInput: as `parse_plane`, but not for values that have no effect (`unenforced`).
    """
    plane, findings = find_plane_faults(obj)
    refuse(f"plane {plane.name or '(no name)'}", split_stored(findings)[0])
    return plane


def find_plane_faults(obj: Mapping[str, Any]) -> tuple[Plane, list[Finding]]:
    """Read a Plane object as far as possible, and list all its faults."""
    findings: list[Finding] = []
    meta = obj.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    name = meta.get("name")
    if not isinstance(name, str) or not is_dns_label(name):
        findings.append(
            Finding(
                "metadata.name",
                f"cannot use {shown(str(name or ''))} as a plane's name",
                "use at most 63 lower-case letters, digits and -, as it becomes a label",
            )
        )
        name = ""
    generation = meta.get("generation")
    spec = SpecReader(obj.get("spec") or {}, "spec", findings, _SPEC)
    plane = _read_spec(name, generation if isinstance(generation, int) else 0, spec)
    created = meta.get("creationTimestamp")
    if isinstance(created, str) and _MOMENT.fullmatch(created):
        plane = replace(plane, created=created)
    refuse_unenforced(spec)
    findings.extend(check_plane(plane))
    return plane, findings


def _read_spec(name: str, generation: int, spec: SpecReader) -> Plane:
    static = spec.child("staticIPs", "allow perOrdinal reservations")
    ipam = spec.child("ipam", _IPAM)
    mac = spec.child("mac", "source prefix allowRequest")
    enforcement = spec.child("enforcement", "pods workloads")
    quota = spec.child("quota", f"{parts.QUOTA_FIELDS} overrides")
    network = parts.read_network(spec)
    typed, nad_ref = network.typed, network.nad_ref
    reservations = parts.read_reservations(static)
    return Plane(
        name=name,
        generation=generation,
        purpose=spec.string("purpose"),
        namespace_selector=parts.read_selector(spec, "namespaceSelector"),
        all_namespaces=spec.boolean("allNamespaces"),
        pod_selector=parts.read_selector(spec, "podSelector") or Selector(),
        attachment=spec.choice("attachment", Attach, Attach.ALWAYS),
        interface=spec.string("interface"),
        order=spec.integer("order", -_MAX_INT, _MAX_INT) or 0,
        network=typed,
        nad_ref=nad_ref,
        shared=network.shared,
        require_carrier=network.require_carrier,
        subnets=parts.read_subnets(spec, reservations),
        ipam_mode=ipam.choice("mode", IpamMode, IpamMode.NAD if nad_ref else IpamMode.PLANE),
        block_size=parts.read_block_size(ipam),
        cooldown_seconds=ipam.integer("cooldownSeconds", 0, 86400) or 0,
        probe=read_conflict_probe(ipam),
        borrow=ipam.boolean("borrow", True),
        is_persistent=ipam.choice("lifecycle", Lifecycle, Lifecycle.EPHEMERAL)
        is Lifecycle.PERSISTENT,
        allow=static.choice("allow", Allow, Allow.RESERVED),
        per_ordinal=static.boolean("perOrdinal", True),
        reservations=reservations,
        allow_mac=mac.boolean("allowRequest", True),
        macs=read_plane_macs(mac),
        default_route=spec.boolean("defaultRoute"),
        routes=parts.read_routes(spec),
        mtu=spec.integer("mtu", 0, 65535) or (typed.mtu if typed else 0),
        bandwidth=parts.read_bandwidth(spec),
        sysctls=parts.read_sysctls(spec),
        quota=parts.read_quota(quota),
        overrides=parts.read_overrides(quota),
        enforcement=enforcement.choice("pods", Enforcement, Enforcement.DENY),
        deletion=spec.choice("deletionPolicy", Deletion, Deletion.BLOCK),
    )
