"""How long the webhook's certificates are valid, without ever reading a key.

Of the Secret only the metadata are asked for: the webhook writes into an annotation when its
certificate ends.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final

from certs.bundle import Certificate
from certs.cluster import CONFIGURATIONS, SECRET
from certs.secret import ANNOTATION_EXPIRY
from planes.cli.reading.events import seconds_of
from planes.cli.status.cluster_facts import CertificateSeen
from planes.kube.resources import Resource
from planes.model.errors import BadInput, JsonObject

_DAY: Final = 86400.0
_MOST_ROOTS_BYTES: Final = 1 << 20


def roots_of(kind: Resource, obj: JsonObject, now: float) -> CertificateSeen:
    """Return how long API servers trust the webhook, by one webhook configuration.

    While roots are exchanged there are several; the latest one counts, of each webhook.
    """
    what = f"caBundle of {kind.kind} {CONFIGURATIONS}"
    days = [_days(text, now) for text in _bundles(obj)]
    if not days:
        return CertificateSeen(what, fault="it names no webhook")
    known = [each for each in days if each is not None]
    if len(known) < len(days):
        return CertificateSeen(what, fault="a webhook has none: API servers cannot call it")
    return CertificateSeen(what, min(known))


def serving_of(obj: JsonObject, now: float) -> CertificateSeen:
    """Return how long the serving certificate is valid, by the Secret's annotation."""
    what = f"the certificate in Secret {SECRET}"
    annotations = obj["metadata"].get("annotations") or {}
    text = annotations.get(ANNOTATION_EXPIRY)
    if text is None:  # cert-manager's, say; it is looked at where it is served
        return CertificateSeen(what)
    ends = seconds_of(str(text))
    if ends is None:
        return CertificateSeen(what, fault="there is none yet")
    return CertificateSeen(what, (ends - now) / _DAY)


def _bundles(obj: JsonObject) -> Iterator[Any]:
    webhooks = obj.get("webhooks")
    for one in webhooks if isinstance(webhooks, list) else ():
        config = one.get("clientConfig") if isinstance(one, dict) else None
        yield config.get("caBundle") if isinstance(config, dict) else None


def _days(text: Any, now: float) -> float | None:
    if not isinstance(text, str) or not text or len(text) > _MOST_ROOTS_BYTES:
        return None
    try:
        roots = Certificate.parse_all(b64decode(text, validate=True), "caBundle")
    except (BadInput, binascii.Error, ValueError):
        return None
    return max((root.not_after.timestamp() - now) / _DAY for root in roots)
