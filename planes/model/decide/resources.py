"""Requests for devices: each attachment to a NAD with a resource needs one of it (SR-IOV)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.names import shown
from planes.model.objects import Pod
from planes.model.state.catalog import Catalog

_NONE: Mapping[str, int] = {}


def resources_of(
    drafts: Sequence[Draft], catalog: Catalog, pod: Pod, findings: Findings
) -> Mapping[str, int]:
    """Count what attachments need, by resource; nothing for a pod with resource claims.

    Such a pod may have the devices by its claims (DRA). A request beside them would be for one more
    device, of a device plugin that may not exist.
    """
    if not catalog.resources:
        return _NONE
    found: dict[str, int] = {}
    for draft in drafts:
        name = catalog.resources.get(draft.ref)
        if name is not None:
            found[name] = found.get(name, 0) + 1
    if found and pod.has_claims:
        findings.warn(
            "spec.resourceClaims",
            f"no request for {', '.join(map(shown, found))} is added: the pod has resource claims, "
            "and its networks may get their devices by these",
            "add resources.limits to a container where a device plugin has the devices",
        )
        return _NONE
    return found
