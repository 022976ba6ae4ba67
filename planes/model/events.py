"""Events about pods: what `kubectl describe pod` shows of an attachment.

Texts of events that Multus emits are word for word its own, for people's eyes and tools alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from planes.model.errors import JsonObject
from planes.model.wire.result import Result

COMPONENT: Final = "netplane"
_LONGEST_POD: Final = 253 - len(".") - 16


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a pod; `uid` is "" where it is not known."""

    reason: str
    message: str
    type: Literal["Normal", "Warning"]
    namespace: str
    pod: str
    uid: str


def added_interface(  # noqa: PLR0917 - the six words of the message, in its order
    pod_ns: str, pod: str, uid: str, ifname: str, result: Result, network_name: str
) -> Event | None:
    """Tell of an interface with its addresses; None for a result with neither."""
    if not (result.interfaces or result.ips):
        return None
    message = f"Add {ifname} [{' '.join(ip.address for ip in result.ips)}]"
    if network_name:
        message += f" from {network_name}"
    return Event("AddedInterface", message, "Normal", pod_ns, pod, uid)


def no_network_found(pod_ns: str, pod: str, uid: str, nad: tuple[str, str], cause: str) -> Event:
    """Tell of a NAD, given as (namespace, name), that does not exist."""
    namespace, name = nad
    message = (
        f"cannot find a network-attachment-definition ({name}) in namespace ({namespace}): {cause}"
    )
    return Event("NoNetworkFound", message, "Warning", pod_ns, pod, uid)


def event_name(event: Event, unix_nanoseconds: int) -> str:
    """Name an event's object as Kubernetes clients do: the pod and the time in hex."""
    return f"{event.pod[:_LONGEST_POD].rstrip('-.')}.{unix_nanoseconds:x}"


def to_object(event: Event, *, name: str, now_rfc3339: str, host: str = "") -> JsonObject:
    """Give the core/v1 Event.

    Args:
        event: what happened.
        name: the object's name, see `event_name`.
        now_rfc3339: when, e.g. `2026-11-21T08:23:36Z`.
        host: the reporting node; Multus names none.
    """
    involved = {"apiVersion": "v1", "kind": "Pod", "name": event.pod, "namespace": event.namespace}
    if event.uid:
        involved["uid"] = event.uid
    source = {"component": COMPONENT}
    if host:
        source["host"] = host
    return {
        "apiVersion": "v1",
        "count": 1,
        "eventTime": None,
        "firstTimestamp": now_rfc3339,
        "involvedObject": involved,
        "kind": "Event",
        "lastTimestamp": now_rfc3339,
        "message": event.message,
        "metadata": {
            "creationTimestamp": now_rfc3339,
            "name": name,
            "namespace": event.namespace,
        },
        "reason": event.reason,
        "reportingComponent": COMPONENT,
        "reportingInstance": host,
        "source": source,
        "type": event.type,
    }
