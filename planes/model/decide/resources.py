"""Devices: NADs name a device plugin's resource, and each attachment needs one of it (SR-IOV)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planes.model.decide.drafts import Draft
from planes.model.state.catalog import Catalog

_NONE: Mapping[str, int] = {}


def resources_of(drafts: Sequence[Draft], catalog: Catalog) -> Mapping[str, int]:
    """Count what attachments need, by resource."""
    if not catalog.resources:
        return _NONE
    found: dict[str, int] = {}
    for draft in drafts:
        name = catalog.resources.get(draft.ref)
        if name is not None:
            found[name] = found.get(name, 0) + 1
    return found
