"""Read Plane objects (netplane.io/v1alpha1) into values; the values are offered here too.

Everything wrong is told at once, with its field path. What this version cannot enforce is refused
rather than ignored: an administrator must never believe in a rule that nobody keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planes.model.errors import Finding
from planes.model.names import is_dns_label, shown
from planes.model.spec import plane_parts as parts
from planes.model.spec.plane_check import check_plane
from planes.model.spec.plane_spec import (
    Allow,
    Attach,
    Enforcement,
    IpamMode,
    Plane,
    PlaneRoute,
    Quota,
    Subnet,
    TypedNetwork,
    WorkloadEnforcement,
)
from planes.model.spec.selector import Selector
from planes.model.spec.spec_reader import SpecReader, refuse

__all__ = [
    "Allow",
    "Attach",
    "Enforcement",
    "IpamMode",
    "Plane",
    "PlaneRoute",
    "Quota",
    "Subnet",
    "TypedNetwork",
    "WorkloadEnforcement",
    "find_plane_faults",
    "parse_plane",
]

API_VERSION = "netplane.io/v1alpha1"
_SPEC = (
    "purpose namespaceSelector allNamespaces podSelector attachment interface order network subnets"
    " ipam staticIPs mac defaultRoute routes mtu bandwidth sysctls isolation quota enforcement"
    " dynamicAttach deletionPolicy"
)
_MAX_INT = 2**31 - 1


def parse_plane(obj: Mapping[str, Any]) -> Plane:
    """Read a Plane object.

    Raises:
        BadInput: anything is wrong; the text lists everything found, with field paths.
    """
    plane, findings = find_plane_faults(obj)
    refuse(f"plane {plane.name or '(no name)'}", findings)
    return plane


def find_plane_faults(obj: Mapping[str, Any]) -> tuple[Plane, list[Finding]]:
    """Read a Plane object as far as possible, and list everything that is wrong with it."""
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
    parts.refuse_unenforced(spec)
    findings.extend(check_plane(plane))
    return plane, findings


def _read_spec(name: str, generation: int, spec: SpecReader) -> Plane:
    static = spec.child("staticIPs", "allow perOrdinal reservations")
    ipam = spec.child("ipam", "mode blockSize borrow cooldownSeconds lifecycle conflictDetection")
    mac = spec.child("mac", "source prefix allowRequest")
    enforcement = spec.child("enforcement", "pods workloads")
    quota = spec.child("quota", f"{parts.QUOTA_FIELDS} overrides")
    network, nad_ref, shared = parts.read_network(spec)
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
        network=network,
        nad_ref=nad_ref,
        shared=shared,
        subnets=parts.read_subnets(spec, reservations),
        ipam_mode=ipam.choice("mode", IpamMode, IpamMode.NAD if nad_ref else IpamMode.PLANE),
        block_size=parts.read_block_size(ipam),
        borrow=ipam.boolean("borrow", True),
        cooldown_seconds=ipam.integer("cooldownSeconds", 0, 86400) or 0,
        allow=static.choice("allow", Allow, Allow.RESERVED),
        per_ordinal=static.boolean("perOrdinal", True),
        reservations=reservations,
        allow_mac=mac.boolean("allowRequest", True),
        default_route=spec.boolean("defaultRoute"),
        routes=parts.read_routes(spec),
        mtu=spec.integer("mtu", 0, 65535) or (network.mtu if network else 0),
        bandwidth=parts.read_bandwidth(spec),
        sysctls=parts.read_sysctls(spec),
        quota=parts.read_quota(quota),
        overrides=parts.read_overrides(quota),
        enforcement=enforcement.choice("pods", Enforcement, Enforcement.DENY),
        workload_enforcement=enforcement.choice(
            "workloads", WorkloadEnforcement, WorkloadEnforcement.WARN
        ),
    )
