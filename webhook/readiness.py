"""Why a replica must not be asked yet, in words for whoever reads the probe's answer.

Liveness asks none of this: a restart mends neither an API server nor a certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planes.store.protocol import Store

STALE_SECONDS: Final = 300.0
"""An API server sends every watch a bookmark each minute or so: this is several of them missed.
Then no answer is better than one from long ago, and the nodes decide."""


def unready_reasons(
    store: Store,
    *,
    is_served: bool,
    unread: Sequence[str] = (),
    heard_seconds: float = 0.0,
    lacking: str = "valid",
) -> list[str]:
    """Say what a replica lacks; empty where it may be asked.

    Args:
        store: what reviews are judged by.
        is_served: whether the listener's certificate may be relied on.
        unread: kinds of objects that have not been read yet, and why.
        heard_seconds: how old what is known may be.
        lacking: what the certificate is not, where it may not.
    """
    reasons = []
    if not store.is_synced:
        what = ", ".join(unread) or "planes and namespaces"
        reasons.append(f"{what} have not been read yet")
    if heard_seconds > STALE_SECONDS:
        reasons.append(f"nothing was heard of the API server for {heard_seconds:.0f} s")
    if not is_served:
        reasons.append(f"there is no {lacking} certificate")
    return reasons
