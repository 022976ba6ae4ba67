"""`netplane pod add | rm | list`: pods in standalone mode."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from planes.cli.admission import Admission
from planes.cli.command import (
    CA,
    MANIFESTS,
    NODE,
    SHIM,
    SOCKET,
    STATE_DIR,
    WEBHOOK,
    Command,
    Context,
    UsageError,
)
from planes.cli.inputs import add_file_arguments, read_inputs
from planes.cli.kubelet import Kubelet
from planes.cli.sandbox import Sandbox, Shim, require_root
from planes.cli.state import read_state
from planes.model.errors import BadInput, JsonObject, PlanesError, Unavailable
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.wire.status import NetworkStatus, parse_status
from planes.store.manifests import DEFAULT_NAMESPACE
from planes.store.podfiles import PodFiles
from planes.store.records import StatusFiles
from planes.store.snapshot import Snapshot

_INSTALLED: Final = Path("/opt/cni/bin/netplane")


def add_pods(context: Context) -> int:
    """Create every pod of the given manifests; 1 where one did not make it."""
    inputs = read_inputs(context.given.files, context.given.namespace)
    for obj in inputs.others:
        context.screen.note(f"passed over: {_title(obj)} is no pod or workload")
    kubelet = _kubelet(context)
    admission = Admission(context.required(WEBHOOK), context.required(CA))
    require_root()
    _warn_of_unknown_namespaces(context, inputs.pods)
    made: list[JsonObject] = []
    has_failed = False
    for manifest in inputs.pods:
        try:
            pod = kubelet.add(manifest, admission)
        except PlanesError as error:
            context.screen.fail(error)
            has_failed = True
            if isinstance(error, Unavailable):  # the next one would meet the same
                break
            continue
        made.append(pod)
        context.screen.say(f"pod {_key(pod)} runs: {_short(pod)}", "green")
    state = read_state(context.manifests_dir())[0] if context.screen.is_json else None
    if state is not None:
        context.screen.give([_described(pod, state) for pod in made])
    return 1 if has_failed else 0


def _warn_of_unknown_namespaces(context: Context, pods: list[JsonObject]) -> None:
    directory = context.manifests_dir()
    known = read_state(directory)[0].namespaces
    for name in sorted({_meta(pod)["namespace"] for pod in pods} - set(known)):
        context.screen.warn(
            f"namespace {name} has no manifest in {directory}: its pods join no plane by label"
        )


def remove_pods(context: Context) -> int:
    """Remove the named pods; 1 where one could not be removed."""
    kubelet = _kubelet(context)
    names = [_split(name) for name in context.given.pods]
    if context.given.all:
        pods = kubelet.pods.all(context.screen.fail)
        names += [(_meta(pod)["namespace"], _meta(pod)["name"]) for pod in pods]
    elif not names:
        raise UsageError("cannot remove a pod: none was named", remedy="name pods or give --all")
    require_root()
    removed = []
    has_failed = False
    for namespace, name in dict.fromkeys(names):
        try:
            kubelet.remove(namespace, name)
        except PlanesError as error:
            context.screen.fail(error)
            has_failed = True
            continue
        removed.append(f"{namespace}/{name}")
        context.screen.say(f"pod {namespace}/{name} removed", "green")
    context.screen.give(removed)
    return 1 if has_failed else 0


def list_pods(context: Context) -> int:
    """Show pods, their node, and the planes, interfaces and addresses they have."""
    directory = context.manifests_dir()
    state, _ = read_state(directory, state_dir=Path(context.required(STATE_DIR)))
    shown = [_described(pod, state) for pod in PodFiles(directory).all(context.screen.fail)]
    context.screen.give(shown)
    if not shown:
        context.screen.say("no pods")
        return 0
    rows = [row for pod in shown for row in _rows(pod)]
    context.screen.table(("POD", "NODE", "PHASE", "INTERFACE", "PLANE", "ADDRESSES"), rows)
    return 0


def _rows(pod: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    head = (f"{pod['namespace']}/{pod['name']}", pod["node"], pod["phase"])
    for interface in pod["interfaces"] or [{"interface": "-", "ips": [], "network": "-"}]:
        plane = interface.get("plane") or f"({interface['network'] or 'default'})"
        yield (*head, interface["interface"], plane, " ".join(interface["ips"]) or "-")
        head = ("", "", "")


def _described(obj: JsonObject, state: Snapshot) -> dict[str, Any]:
    pod = Pod.from_object(obj)
    seen = state.pods.get((pod.namespace, pod.name), pod)
    sandbox = Sandbox(pod.namespace, pod.name, pod.uid)
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
        "node": pod.node,
        "phase": pod.phase,
        "containerID": sandbox.container_id,
        "netns": str(sandbox.netns),
        "interfaces": [_interface(status, state) for status in _statuses(seen)],
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


def _statuses(pod: Pod) -> tuple[NetworkStatus, ...]:
    try:
        return parse_status(pod.annotations.get(STATUS_ANNOTATION) or "[]")
    except BadInput:
        return ()


def _short(obj: JsonObject) -> str:
    parts = [
        f"{status.interface} {' '.join(status.ips)}".strip()
        for status in _statuses(Pod.from_object(obj))
    ]
    return ", ".join(parts) or "no interfaces are reported yet"


def _kubelet(context: Context) -> Kubelet:
    directory = context.manifests_dir()
    # Kept in the pods, and read again from wherever the next command is typed.
    state_dir = str(Path(context.required(STATE_DIR)).absolute())
    socket_path = str(Path(context.required(SOCKET)).absolute())
    return Kubelet(
        pods=PodFiles(directory),
        statuses=StatusFiles(Path(state_dir)),
        shim=Shim(shim_path(context), socket_path, state_dir),
        node=str(context.settings[NODE.key] or socket.gethostname()),
        screen=context.screen,
    )


def shim_path(context: Context) -> str:
    """Give the shim to run.

    Raises:
        BadInput: there is none.
    """
    given = context.settings[SHIM.key]
    built = Path(__file__).parents[2] / "build" / "netplane"
    # Never PATH: there, this very command has the shim's name.
    found = (
        Path(given)
        if given
        else next((path for path in (built, _INSTALLED) if path.is_file()), built)
    )
    if not found.is_file():
        raise BadInput(
            f"cannot find the shim {found}",
            remedy="build it with `make setup`, or give --shim PATH",
        )
    return str(found.absolute())


def _split(name: str) -> tuple[str, str]:
    namespace, slash, pod = name.partition("/")
    found = (namespace, pod) if slash else (DEFAULT_NAMESPACE, name)
    if not all(found) or "/" in found[1]:
        raise UsageError(f"cannot understand {name[:80]!r}", remedy="name pods as NAMESPACE/NAME")
    return found


def _meta(obj: JsonObject) -> dict[str, Any]:
    return dict(obj["metadata"])


def _key(obj: JsonObject) -> str:
    return f"{_meta(obj)['namespace']}/{_meta(obj)['name']}"


def _title(obj: JsonObject) -> str:
    meta = obj.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    return f"{obj.get('kind') or 'an object without kind'} {name or ''}".strip()


def _add_pod_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pods", nargs="*", metavar="NAMESPACE/NAME", help="pods to remove")
    parser.add_argument("--all", action="store_true", help="remove every pod of the directory")


POD_ADD: Final = Command(
    words=("pod", "add"),
    help="create pods: admission, sandbox, attachments",
    run=add_pods,
    options=(MANIFESTS, WEBHOOK, CA, SOCKET, STATE_DIR, NODE, SHIM),
    add_arguments=add_file_arguments,
)
POD_RM: Final = Command(
    words=("pod", "rm"),
    help="detach and remove pods",
    run=remove_pods,
    options=(MANIFESTS, SOCKET, STATE_DIR, NODE, SHIM),
    add_arguments=_add_pod_names,
)
POD_LIST: Final = Command(
    words=("pod", "list"),
    help="show pods, their planes, interfaces and addresses",
    run=list_pods,
    options=(MANIFESTS, STATE_DIR),
)
