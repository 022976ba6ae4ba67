"""A node as the API server shows it: its object, its Lease, our daemon on it, and events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

from planes.kube.addresses.node_look import NODE_LEASES
from planes.kube.api import Query, ReadApi
from planes.kube.resources import DAEMON_SETS, EVENTS, LEASES, NODES, PODS
from planes.model.errors import JsonObject, NotFound, PlanesError
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION
from planes.model.state.plane_health import HealthReport, read_report

DAEMON: Final = "netplane-cni"
_DAEMON_PODS: Final = f"app.kubernetes.io/name={DAEMON}"
_MOST: Final = 100
_LONGEST_TIME: Final = 64


@dataclass(frozen=True, slots=True)
class NodeCondition:
    """One condition of a Node."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class DaemonPod:
    """Our daemon's pod on the node.

    Attributes:
        image: of its container `cni`.
        state: why the container waits or ended, "" where it runs.
        report: what it reports of planes; None without a report.
    """

    name: str
    is_ready: bool
    restarts: int = 0
    image: str = ""
    state: str = ""
    report: HealthReport | None = None


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """A warning about the node or the daemon's pod, `age` seconds ago."""

    about: str
    reason: str
    message: str
    count: int
    age: float


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """What the API server shows of a node.

    Attributes:
        is_there: whether there is a Node object.
        renewed: seconds since its kubelet renewed its Lease; None where that cannot be read.
        wanted_image: that of the DaemonSet; "" where it cannot be read.
        unread: what could not be read, and why.
    """

    name: str
    is_there: bool = True
    conditions: tuple[NodeCondition, ...] = ()
    is_cordoned: bool = False
    kubelet: str = ""
    renewed: float | None = None
    pods: tuple[DaemonPod, ...] = ()
    wanted_image: str = ""
    events: tuple[NodeEvent, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


async def read_cluster_node(api: ReadApi, name: str, clock: Callable[[], float]) -> ClusterNode:
    """Read what there is; what may not be read is listed.

    Args:
        api: with the user's credentials.
        name: of the node, valid.
        clock: returns Unix seconds, after the first answer: by the API server's clock, as the times
            of leases and events are by those of nodes.

    Raises:
        PlanesError: the Node itself cannot be read.
    """
    try:
        obj = await api.get(NODES, name)
    except NotFound:
        return ClusterNode(name, is_there=False)
    now = clock()
    unread: dict[str, str] = {}
    lease = await _read(api, "its Lease", unread, name)
    wanted = ""
    try:
        wanted = _image(
            await api.get(DAEMON_SETS, DAEMON, namespace=NETPLANE_NAMESPACE), "template"
        )
    except PlanesError as error:
        unread["version of the DaemonSet"] = str(error)
    query = Query(PODS, NETPLANE_NAMESPACE, labels=_DAEMON_PODS, fields=f"spec.nodeName={name}")
    pods = tuple([_pod(one) for one in await _list(api, query, "daemon", unread)])
    events = await _events(api, name, pods, unread, now)
    spec, info = _mapping(obj.get("spec")), _mapping(_mapping(obj.get("status")).get("nodeInfo"))
    return ClusterNode(
        name,
        conditions=tuple(_conditions(obj)),
        is_cordoned=spec.get("unschedulable") is True,
        kubelet=_text(info.get("kubeletVersion")),
        renewed=_since(_mapping(lease.get("spec")).get("renewTime"), now),
        pods=pods,
        wanted_image=wanted,
        events=events,
        unread=unread,
    )


async def _read(api: ReadApi, what: str, unread: dict[str, str], name: str) -> JsonObject:
    try:
        return await api.get(LEASES, name, namespace=NODE_LEASES)
    except NotFound:
        return {}
    except PlanesError as error:
        unread[what] = str(error)
        return {}


async def _list(api: ReadApi, query: Query, what: str, unread: dict[str, str]) -> list[JsonObject]:
    found: list[JsonObject] = []
    try:
        async for page in api.pages(query):
            found += page.items
            if len(found) >= _MOST:
                break
    except PlanesError as error:
        unread[what] = str(error)
    return found[:_MOST]


async def _events(
    api: ReadApi, node: str, pods: tuple[DaemonPod, ...], unread: dict[str, str], now: float
) -> tuple[NodeEvent, ...]:
    asked = [("default", f"involvedObject.kind=Node,involvedObject.name={node}", f"node {node}")]
    for pod in pods:
        about = f"involvedObject.kind=Pod,involvedObject.name={pod.name}"
        asked.append((NETPLANE_NAMESPACE, about, f"pod {pod.name}"))
    found = []
    for namespace, about, title in asked:
        query = Query(EVENTS, namespace, fields=f"{about},type=Warning")
        found += [_event(one, title, now) for one in await _list(api, query, "events", unread)]
    return tuple(found)


def _event(obj: JsonObject, about: str, now: float) -> NodeEvent:
    meta = _mapping(obj.get("metadata"))
    when = obj.get("lastTimestamp") or obj.get("eventTime") or meta.get("creationTimestamp")
    count = obj.get("count")
    return NodeEvent(
        about,
        _text(obj.get("reason")),
        _text(obj.get("message")),
        count if isinstance(count, int) else 1,
        _since(when, now) or 0.0,
    )


def _conditions(node: JsonObject) -> Iterator[NodeCondition]:
    listed = _mapping(node.get("status")).get("conditions")
    for one in islice(listed if isinstance(listed, list) else (), _MOST):
        if isinstance(one, dict):
            texts = (_text(one.get(key)) for key in ("type", "status", "reason", "message"))
            yield NodeCondition(*texts)


def _pod(obj: JsonObject) -> DaemonPod:
    meta, status = _mapping(obj.get("metadata")), _mapping(obj.get("status"))
    ready = any(
        isinstance(one, dict) and (one.get("type"), one.get("status")) == ("Ready", "True")
        for one in _listed(status.get("conditions"))
    )
    restarts, state = 0, ""
    for one in _listed(status.get("containerStatuses")):
        count = _mapping(one).get("restartCount")
        restarts += count if isinstance(count, int) else 0
        shown = _mapping(_mapping(one).get("state"))
        state = state or _text(_mapping(shown.get("waiting")).get("reason"))
        state = state or _text(_mapping(shown.get("terminated")).get("reason"))
    text = _mapping(meta.get("annotations")).get(PLANE_HEALTH_ANNOTATION)
    report = read_report(text) if isinstance(text, str) else None
    return DaemonPod(_text(meta.get("name")), ready, restarts, _image(obj), state, report)


def _image(obj: JsonObject, template: str = "") -> str:
    spec = _mapping(obj.get("spec"))
    if template:
        spec = _mapping(_mapping(spec.get(template)).get("spec"))
    for one in _listed(spec.get("containers")):
        if _mapping(one).get("name") == "cni":
            return _text(_mapping(one).get("image"))
    return ""


def _since(text: Any, now: float) -> float | None:
    if not isinstance(text, str) or len(text) > _LONGEST_TIME:
        return None
    with suppress(ValueError):
        return max(0.0, now - datetime.fromisoformat(text).timestamp())
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value[:_MOST] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
