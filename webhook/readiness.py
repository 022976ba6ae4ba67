"""Why a replica must not be asked yet, in words for whoever reads the probe's answer.

Liveness asks none of this: a restart mends neither an API server nor a certificate.
"""

from __future__ import annotations

from planes.store.protocol import Store


def unready_reasons(store: Store, *, is_served: bool) -> list[str]:
    """Say what a replica lacks; empty where it may be asked."""
    reasons = []
    if not store.is_synced:
        reasons.append("planes and namespaces have not been read yet")
    if not is_served:
        reasons.append("there is no valid certificate")
    return reasons
