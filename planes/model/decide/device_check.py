"""Refuse networks that need a device while nothing says which one.

Where the NAD names a resource, the node looks up the device that was allocated to the pod.
"""

from __future__ import annotations

from collections.abc import Iterable

from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.names import shown
from planes.model.state.catalog import Catalog
from planes.model.state.kubelet_devices import no_device
from planes.model.wire.device_keys import DEVICE_ID


def check_devices(drafts: Iterable[Draft], catalog: Catalog, findings: Findings) -> None:
    """Refuse attachments whose device neither their NAD nor their element tells.

    An element's own `deviceID` has no effect where the NAD names a resource: a pod would choose a
    device that was not allocated to it.
    """
    for draft in drafts:
        facts = catalog.facts_of(draft.ref)
        named = draft.selection.device_id
        if facts.lacks_device and not (named and DEVICE_ID in facts.capabilities):
            message, remedy = no_device(draft.ref, facts.lacks_device)
            findings.refuse(f"{draft.path}.name", message, remedy)
        resource = catalog.resources.get(draft.ref, "") if named else ""
        if resource and draft.governed_by is None:
            findings.warn(
                f"{draft.path}.{DEVICE_ID}",
                f"it is ignored: the network gets the device of resource {shown(resource)} that "
                "is allocated to the pod",
                "remove it",
            )
