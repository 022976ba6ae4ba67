"""Reasons why a replica is not ready, as `/readyz` shows them.

Liveness checks none of this: a restart repairs neither an API server nor a certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planes.store.protocol import Store

STALE_SECONDS: Final = 300.0
"""An API server sends every watch a bookmark each minute or so: several were missed then. No answer
is better than one from stale state, as the nodes decide again."""


def unready_reasons(
    store: Store,
    *,
    is_served: bool,
    unread: Sequence[str] = (),
    heard_seconds: float = 0.0,
    lacking: str = "valid",
) -> list[str]:
    """Return why a replica is not ready; empty where it is.

    Args:
        store: the state by which reviews are judged.
        is_served: whether the listener has a certificate that may be used.
        unread: kinds of objects that have not been read yet, and why.
        heard_seconds: age of the last answer of the API server.
        lacking: what a certificate has to be, for the text.
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
