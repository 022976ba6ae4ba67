"""Check what elements ask for besides addresses: interface names, MACs, routes, capabilities."""

from __future__ import annotations

from collections.abc import Sequence

from planes.model.addresses import parse_address
from planes.model.annotations.selection import NETWORKS_PATH, Selection
from planes.model.bounds import MAX_ELEMENTS
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.decide.mac_check import check_mac
from planes.model.decide.wishes import check_wishes
from planes.model.errors import Finding
from planes.model.objects import Pod
from planes.model.spec.plane_check import TAKEN_INTERFACES
from planes.model.state.catalog import Catalog


def check_elements(
    drafts: Sequence[Draft],
    extra: Sequence[Draft],
    pod: Pod,
    catalog: Catalog,
    findings: Findings,
) -> None:
    """Check every element, and all of them together.

    Args:
        drafts: those of the list of networks.
        extra: others, whose names and routes do not conflict with these.
        pod: the pod.
        catalog: the current planes and NADs.
        findings: errors and warnings are added here.
    """
    if len(drafts) > MAX_ELEMENTS:
        findings.refuse(
            NETWORKS_PATH,
            f"cannot attach {len(drafts)} networks to one pod, planes included",
            f"at most {MAX_ELEMENTS} are possible",
        )
    _check_interfaces(drafts, findings)
    _check_default_routes(drafts, findings)
    for draft in (*drafts, *extra):
        check_wishes(draft, findings)
        if draft.selection.mac:
            check_mac(draft, pod, catalog, findings)
        if draft.governed_by is None:
            findings.warnings += _dropped(draft, catalog)


def _check_interfaces(drafts: Sequence[Draft], findings: Findings) -> None:
    owners: dict[str, Draft] = {}
    for draft in drafts:
        name = draft.interface
        first = owners.setdefault(name, draft)
        if name in TAKEN_INTERFACES:
            message = f"cannot name the interface {name}: every pod has it already"
        elif first is not draft:
            message = f"cannot name the interface {name}: the element at [{first.index}] has it"
        else:
            continue
        by_position = "" if draft.selection.interface else " (its name follows from its position)"
        remedy = f"give each interface a name of its own{by_position}"
        findings.refuse(f"{draft.path}.interface", message, remedy)


def _check_default_routes(drafts: Sequence[Draft], findings: Findings) -> None:
    owners: dict[int, int] = {}
    for draft in drafts:
        for index, text in enumerate(draft.selection.default_route or ()):
            version = parse_address(text).version
            if version in owners:
                findings.refuse(
                    f"{draft.path}.default-route[{index}]",
                    f"cannot have two IPv{version} default routes: the element at "
                    f"[{owners[version]}] has one",
                    "keep one gateway of each family in the whole list",
                )
                break
            owners.setdefault(version, draft.index)


def _dropped(draft: Draft, catalog: Catalog) -> list[Finding]:
    """Warn of each request that the NAD's plugins do not get."""
    requests = _requests(draft.selection)
    facts = catalog.facts_of(draft.ref)
    if not requests or not facts.is_known or facts.fault or draft.ref not in catalog.nads:
        return []
    return [
        Finding(
            f"{draft.path}.{key}",
            f"NAD {draft.ref} declares no {capability} capability: this is ignored",
            f'add "capabilities": {{"{capability}": true}} to the plugin that can do it',
        )
        for key, capability in requests
        if capability not in facts.capabilities
    ]


def _requests(selection: Selection) -> list[tuple[str, str]]:
    """Return keys and capabilities of what an element asks for, besides addresses and MAC."""
    found = []
    if selection.port_mappings:
        found.append(("portMappings", "portMappings"))
    if selection.bandwidth:
        found.append(("bandwidth", "bandwidth"))
    if selection.infiniband_guid:
        found.append(("infiniband-guid", "infinibandGUID"))
    if selection.device_id:
        found.append(("deviceID", "deviceID"))
    return found
