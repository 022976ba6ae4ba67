"""Check the MAC that an element asks for: whether an interface can have it, and who else does.

On a wire of planes a MAC that another pod has is refused, as frames would reach one of them only;
on other networks it is a warning. A plane that makes MACs from addresses keeps them for those
addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.errors import Finding
from planes.model.mac import ETHERNET_BYTES, format_mac, parse_mac, why_unusable
from planes.model.objects import Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claims import Claim
from planes.model.state.mac_rivals import mac_rival, planes_on_wire
from planes.model.state.rollout import ROLLOUT_REMEDY, deployment_of

_TAKEN: Final = 409
_KEPT: Final = 403


def check_mac(draft: Draft, pod: Pod, catalog: Catalog, findings: Findings) -> None:
    """Check the MAC of one element, which asks for one."""
    path = f"{draft.path}.mac"
    address = parse_mac(draft.selection.mac)
    why = why_unusable(address)
    if why:
        findings.refuse(
            path,
            f"cannot use MAC {draft.selection.mac}: {why}",
            "use a unicast address such as 02:00:00:00:00:11",
        )
    facts = catalog.facts_of(draft.ref)
    if facts.type == "ipvlan":
        message = "ipvlan interfaces share their master's MAC: this one is ignored"
        findings.warn(path, message, "remove mac, or use macvlan")
    elif len(address) != ETHERNET_BYTES:
        message = f"it has {len(address)} bytes: only InfiniBand interfaces take it"
        findings.warn(path, message, f"write {ETHERNET_BYTES} bytes for an Ethernet interface")
    elif "mac" not in draft.refused:
        _check_others(draft, address, pod, catalog, findings)


def _check_others(
    draft: Draft, address: bytes, pod: Pod, catalog: Catalog, findings: Findings
) -> None:
    path, governing = f"{draft.path}.mac", draft.governed_by
    if governing is None:
        rival = catalog.rival(draft.ref, address, pod.key)
        if rival is not None:
            findings.warn(path, *_shared(address, rival))
        return
    planes = planes_on_wire(draft.ref, catalog)
    fault = _kept_for_address(draft, address, planes, path)
    if fault is None:
        rival = mac_rival(draft.ref, planes, address, pod.key, catalog)
        fault = None if rival is None else _taken(path, address, rival, pod)
    if fault is not None:
        draft.refused |= {"mac"}
        findings.enforce(governing, [fault])


def _shared(address: bytes, rival: Claim) -> tuple[str, str]:
    # Only a warning: in a rolling update the old pod has it until it is deleted.
    return (
        f"pod {rival.pod} asks for MAC {format_mac(address)} on that network too: of two on "
        "one node the second does not start, and on one segment frames reach one of them only",
        "give each pod a MAC of its own",
    )


def _taken(path: str, address: bytes, rival: Claim, pod: Pod) -> Finding:
    verb = "has it" if rival.is_attached else "asks for it already"
    message = f"cannot give the pod MAC {format_mac(address)}: pod {rival.pod} {verb} on that wire"
    remedy = "give each pod a MAC of its own, or leave it to be chosen"
    deployment = deployment_of(pod)
    if deployment:
        remedy += f"; where it is one pod of Deployment {deployment}, {ROLLOUT_REMEDY}"
    return Finding(path, message, remedy, _TAKEN)


def _kept_for_address(
    draft: Draft, address: bytes, planes: Sequence[Plane], path: str
) -> Finding | None:
    """Return an error for a MAC that a plane makes from an address the pod does not ask for."""
    own = [a for at, (a, _) in enumerate(draft.asked) if at not in draft.refused_ips]
    for plane in planes:
        macs = plane.macs
        if macs is None or not macs.has(address):
            continue
        if any(macs.of_address(asked) == address for asked in own):
            continue
        message = (
            f"cannot choose MAC {format_mac(address)}: plane {plane.name} makes MACs that begin "
            f"with {format_mac(macs.prefix)} from addresses"
        )
        return Finding(path, message, "choose another, or leave it to the plane", _KEPT)
    return None
