"""Events about pods, which `kubectl describe pod` shows, and about nodes.

Events that Multus emits too have exactly its texts, as tools read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from planes.model.errors import JsonObject
from planes.model.lines import shortened
from planes.model.wire.result import Result

COMPONENT: Final = "netplane"
_LONGEST_POD: Final = 253 - len(".") - 16
_LONGEST_MESSAGE: Final = 1024  # characters, as the API of events has it (events.k8s.io/v1, note)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a pod; `uid` is "" where it is not known.

    With kind Node, `pod` is the node's name.
    """

    reason: str
    message: str
    type: Literal["Normal", "Warning"]
    namespace: str
    pod: str
    uid: str
    kind: Literal["Pod", "Node"] = "Pod"


def message_of(text: str) -> str:
    """Return a text shortened to the length of an event's message."""
    return shortened(text, _LONGEST_MESSAGE)


def about_node(node: str, reason: str, message: str, *, warns: bool) -> Event:
    """Return an event of a node; `kubectl describe node` finds it by the node's name as UID."""
    kind: Literal["Normal", "Warning"] = "Warning" if warns else "Normal"
    return Event(reason, message, kind, "default", node, node, "Node")


def added_interface(
    pod_ns: str, pod: str, uid: str, ifname: str, *, result: Result, network_name: str
) -> Event | None:
    """Return the event of a new interface; None for a result without interfaces and addresses."""
    if not (result.interfaces or result.ips):
        return None
    message = f"Add {ifname} [{' '.join(ip.address for ip in result.ips)}]"
    if network_name:
        message += f" from {network_name}"
    return Event("AddedInterface", message, "Normal", pod_ns, pod, uid)


def no_network_found(pod_ns: str, pod: str, uid: str, nad: tuple[str, str], cause: str) -> Event:
    """Return the event of a NAD, given as (namespace, name), that does not exist."""
    namespace, name = nad
    message = (
        f"cannot find a network-attachment-definition ({name}) in namespace ({namespace}): {cause}"
    )
    return Event("NoNetworkFound", message, "Warning", pod_ns, pod, uid)


def event_name(event: Event, unix_nanoseconds: int) -> str:
    """Return the name of an event's object, as Kubernetes clients do: pod and time in hex."""
    return f"{event.pod[:_LONGEST_POD].rstrip('-.')}.{unix_nanoseconds:x}"


def to_object(event: Event, *, name: str, now_rfc3339: str, host: str = "") -> JsonObject:
    """Return the core/v1 Event.

    Args:
        event: what happened.
        name: the object's name, see `event_name`.
        now_rfc3339: when, e.g. `2026-11-21T08:23:36Z`.
        host: the reporting node; Multus names none.
    """
    involved = {"apiVersion": "v1", "kind": event.kind, "name": event.pod}
    if event.kind == "Pod":
        involved["namespace"] = event.namespace
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
