"""The command `netplane pod list`: pods of standalone mode, and other containers of the daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from planes.cli.command import MANIFESTS, STATE_DIR, Command, Context, Task
from planes.cli.containers import read_containers, title_of
from planes.cli.reading.namespaces import NAMESPACE_OPTIONS, chosen_namespace
from planes.cli.sandbox import NETCONF, Sandbox
from planes.cli.state import read_state
from planes.model.errors import BadInput, JsonObject, PlanesError, Unavailable
from planes.model.lines import printable
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.wire.status import NetworkStatus, parse_status
from planes.store.pod_files import PodFiles
from planes.store.snapshot import Snapshot

_HEADER: Final = (
    *("POD", "NODE", "PHASE", "INTERFACE", "PLANE", "ADDRESSES"),
    *("CONTAINER", "NETWORKS"),
)
_NARROW: Final = 6


def list_pods(context: Context) -> int:
    """Print pods and containers, their node, and their planes, interfaces and addresses.

    Return 1 if the containers could not be read, or some of them.
    """
    directory, state_dir = context.manifests_dir(), Path(context.required(STATE_DIR))
    state, _ = read_state(directory, state_dir=state_dir)
    shown = [described(pod, state) for pod in PodFiles(directory).all(context.console.error)]
    found = None
    try:
        found = read_containers(state_dir, {pod["containerID"] for pod in shown})
    except PlanesError as error:
        told = f"cannot show containers that are no pods: {error.message}"
        remedy = error.remedy if os.geteuid() == 0 else "run it as root"
        context.console.error(Unavailable(told, remedy=remedy))
    if found is not None and found.damaged:
        entries = "1 journal entry" if found.damaged == 1 else f"{found.damaged} journal entries"
        context.console.warn(f"{entries} cannot be read: netplane doctor says what to do")
    shown += found.shown if found is not None else ()
    if namespace := chosen_namespace(context):
        shown = [one for one in shown if one["namespace"] == namespace]
    context.console.document(shown)
    if not shown:
        context.console.line("no pods")
    else:
        rows = [row for pod in shown for row in _rows(pod)]
        context.console.table(_HEADER, rows, wide=_NARROW)
    return 1 if found is None or found.damaged else 0


def described(obj: JsonObject, state: Snapshot) -> dict[str, Any]:
    """Return what is shown of a pod, as JSON has it."""
    pod = Pod.from_object(obj)
    seen = state.pods.get((pod.namespace, pod.name), pod)
    sandbox = Sandbox(pod.namespace, pod.name, pod.uid)
    return {
        "kind": "Pod",
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
        "node": pod.node,
        "phase": pod.phase,
        "containerID": sandbox.container_id,
        "netns": str(sandbox.netns),
        "networks": [NETCONF["name"]],
        "interfaces": [_interface(status, state) for status in shown_statuses(seen)],
    }


def _interface(status: NetworkStatus, state: Snapshot) -> dict[str, Any]:
    namespace, slash, name = status.name.partition("/")
    plane = state.catalog.plane_of(NadRef(namespace, name)) if slash else None
    return {
        "interface": status.interface,
        "network": status.name,
        "plane": plane.name if plane else None,
        "ips": list(status.ips),
        "mac": status.mac,
        "default": status.default,
    }


def shown_statuses(pod: Pod) -> tuple[NetworkStatus, ...]:
    """Return the network-status of a pod; none where it cannot be read."""
    try:
        return parse_status(pod.annotations.get(STATUS_ANNOTATION) or "[]")
    except BadInput:
        return ()


def _rows(pod: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    is_pod = pod["kind"] == "Pod"
    title = f"{pod['namespace']}/{pod['name']}" if is_pod else title_of(pod)
    head = (title, pod["node"], pod["phase"])
    tail = (pod["containerID"], " ".join(map(printable, pod["networks"])) or "-")
    for interface in pod["interfaces"] or [{"interface": "-", "ips": [], "network": "-"}]:
        plane = interface.get("plane") or f"({printable(interface['network']) or 'default'})"
        addresses = " ".join(interface["ips"]) or "-"
        yield (*head, interface["interface"], plane, addresses, *tail)
        head, tail = ("", "", ""), ("", "")


POD_LIST: Final = Command(
    words=("pod", "list"),
    help="show pods and containers, their planes, interfaces and addresses",
    run=list_pods,
    options=(MANIFESTS, STATE_DIR, *NAMESPACE_OPTIONS),
    task=Task.PODS,
    example="netplane pod list --manifests /etc/netplane/manifests",
)
