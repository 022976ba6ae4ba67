"""core/v1 Events about objects of a cluster: one shape for all that the webhook writes."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from planes.kube.resources import EVENTS
from planes.model.errors import JsonObject
from planes.model.events import COMPONENT, message_of

_DIGEST: Final = 16
_LONGEST_NAME: Final = 253 - 1 - _DIGEST


def event_object(
    name: str,
    namespace: str,
    involved: JsonObject,
    *,
    kind: Literal["Normal", "Warning"],
    reason: str,
    message: str,
    moment: str,
) -> JsonObject:
    """Return an event that happened once.

    Args:
        name: of the event itself.
        namespace: where it is kept; of objects without namespace that is `default`.
        involved: what it is about (`involvedObject`); `kubectl describe` looks it up by `uid`.
        kind: its type.
        reason: one word.
        message: shortened to what an event may say.
        moment: when, in RFC 3339.
    """
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": involved,
        "type": kind,
        "reason": reason,
        "message": message_of(message),
        "count": 1,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
    }


def name_by_content(name: str, about: str) -> str:
    """Name an event by an object and its text: of two replicas with the same text one writes it."""
    digest = hashlib.sha256(about.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
    return f"{name[:_LONGEST_NAME].rstrip('-.')}.{digest}"
