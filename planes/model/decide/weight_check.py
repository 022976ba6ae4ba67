"""Limit the configurations of one pod's networks: its node keeps them while the pod runs.

Each attachment is journaled with its whole configuration, which is read again when the daemon
starts. Planes' own NADs do not count, as an administrator wrote them.
"""

from __future__ import annotations

from collections.abc import Sequence

from planes.model.annotations.selection import NETWORKS_PATH
from planes.model.bounds import MAX_CONFIG_BYTES_OF_POD, MAX_CONFIG_VALUES_OF_POD
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.state.catalog import Catalog
from planes.model.state.nad_bounds import Weight, weight_of


def check_weight(drafts: Sequence[Draft], catalog: Catalog, findings: Findings) -> None:
    """Refuse a pod whose configurations are together too large."""
    total = Weight()
    for draft in drafts:
        nad = None if draft.plane is not None else catalog.nads.get(draft.ref)
        if nad is not None:
            total += weight_of(nad)
    if total.size > MAX_CONFIG_BYTES_OF_POD or total.values > MAX_CONFIG_VALUES_OF_POD:
        findings.refuse(
            NETWORKS_PATH,
            f"cannot attach {total.nads} networks whose configurations have {total.size} bytes and "
            f"{total.values} commas and brackets together, more than {MAX_CONFIG_BYTES_OF_POD} and "
            f"{MAX_CONFIG_VALUES_OF_POD}",
            "attach fewer networks, or shorten spec.config of their NADs",
        )
