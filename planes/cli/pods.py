"""The commands `netplane pod add` and `netplane pod rm`: pods of standalone mode."""

from __future__ import annotations

import argparse
import os
import socket
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
    WAIT_SECONDS,
    WEBHOOK,
    Command,
    Context,
    Task,
    UsageError,
)
from planes.cli.explaining.files import of_workloads
from planes.cli.inputs import STATE_KINDS, Inputs, add_file_arguments, pod_of, read_inputs
from planes.cli.kubelet import Kubelet
from planes.cli.pod_list import described, shown_statuses
from planes.cli.reading.namespaces import NAMESPACE, named_namespace
from planes.cli.sandbox import Shim, require_root
from planes.cli.state import read_state
from planes.model.errors import BadInput, JsonObject, PlanesError, Unavailable
from planes.model.objects import Pod
from planes.store.manifests import DEFAULT_NAMESPACE
from planes.store.pod_files import PodFiles
from planes.store.records import StatusFiles

_INSTALLED: Final = (Path("/opt/cni/bin/netplane"), Path("/usr/lib/cni/netplane"))


def add_pods(context: Context) -> int:
    """Create every pod of the given manifests; return 1 if one could not be created."""
    inputs = read_inputs(context.given.files, _default_namespace(context))
    for obj, _ in inputs.others:
        text = f"passed over: {_title(obj)} is no pod or workload"
        if obj.get("kind") in STATE_KINDS:
            text += f"; put it into {context.manifests_dir()}, it counts there"
        context.console.note(text)
    kubelet = _kubelet(context)
    url, authority = context.required(WEBHOOK), context.required(CA)
    require_root()
    admission = Admission(url, authority)
    _warn_of_inputs(context, inputs)
    made: list[JsonObject] = []
    for manifest in inputs.pods:
        try:
            pod = kubelet.add(manifest, admission)
        except PlanesError as error:
            # The others are tried all the same, and each failure is printed.
            context.console.error(_naming_pod(manifest, error))
            kubelet = kubelet.after_failure()
            continue
        made.append(pod)
        context.console.line(f"pod {_key(pod)} runs: {_summary(pod)}", "green")
    state = read_state(context.manifests_dir())[0] if context.console.is_document else None
    if state is not None:
        context.console.document([described(pod, state) for pod in made])
    count, failed = len(inputs.pods), len(inputs.pods) - len(made)
    if failed and count > 1:
        context.console.note(f"{failed} of {count} pods could not be created", "red")
    return 1 if failed else 0


def _naming_pod(manifest: JsonObject, error: PlanesError) -> PlanesError:
    """Return an error that names the pod; one about a program of all pods does not yet."""
    if _key(manifest) in error.message:
        return error
    told = f"cannot create pod {_key(manifest)}: {error.message}"
    return Unavailable(told, remedy=error.remedy)


def _warn_of_inputs(context: Context, inputs: Inputs) -> None:
    """Warn of namespaces without manifest, and of faults of workloads as a whole."""
    directory = context.manifests_dir()
    state, _ = read_state(directory)
    for name in sorted({_meta(pod)["namespace"] for pod in inputs.pods} - set(state.namespaces)):
        context.console.warn(
            f"namespace {name} has no manifest in {directory}: its pods join no plane by label; "
            "put one there, with the labels of its planes"
        )
    for entry in of_workloads(inputs, state, _default_namespace(context)):
        entry.print_findings(context.console, is_decided=False)


def remove_pods(context: Context) -> int:
    """Remove the named pods; return 1 if one could not be removed."""
    kubelet = _kubelet(context)
    names = [pod_of(name, _default_namespace(context)) for name in context.given.pods]
    if context.given.all:
        pods = kubelet.pods.all(context.console.error)
        found = [(_meta(pod)["namespace"], _meta(pod)["name"]) for pod in pods]
        only = named_namespace(context)
        names += [one for one in found if not only or one[0] == only]
    elif not names:
        raise UsageError("cannot remove a pod: none was named", remedy="name pods or give --all")
    require_root()
    removed = []
    has_failed = False
    for namespace, name in dict.fromkeys(names):
        try:
            kubelet.remove(namespace, name)
        except PlanesError as error:
            context.console.error(error)
            has_failed = True
            continue
        removed.append(f"{namespace}/{name}")
        context.console.line(f"pod {namespace}/{name} removed", "green")
    context.console.document(removed)
    return 1 if has_failed else 0


def _summary(obj: JsonObject) -> str:
    parts = [
        f"{status.interface} {' '.join(status.ips)}".strip()
        for status in shown_statuses(Pod.from_object(obj))
    ]
    return ", ".join(parts) or "no interfaces are reported yet"


def _default_namespace(context: Context) -> str:
    return named_namespace(context) or DEFAULT_NAMESPACE


def _kubelet(context: Context) -> Kubelet:
    directory = context.manifests_dir()
    # They are written into the pods and read by later commands, in whatever directory those run.
    state_dir = str(Path(context.required(STATE_DIR)).absolute())
    socket_path = str(Path(context.required(SOCKET)).absolute())
    return Kubelet(
        pods=PodFiles(directory),
        statuses=StatusFiles(Path(state_dir)),
        shim=Shim(
            shim_path(context), socket_path, state_dir, context.settings.get(WAIT_SECONDS.key)
        ),
        node=str(context.settings[NODE.key] or socket.gethostname()),
        console=context.console,
    )


def shim_path(context: Context) -> str:
    """Return the path of the shim.

    Raises:
        BadInput: there is no such file.
    """
    given = context.settings[SHIM.key]
    built = Path(__file__).parents[2] / "build" / "netplane"
    # Not by PATH: this very command has the name of the shim there.
    found = (
        Path(given)
        if given
        else next((path for path in (built, *_INSTALLED) if os.path.isfile(path)), built)
    )
    if not os.path.isfile(found):  # unlike Path.is_file() where a folder may not be searched
        raise BadInput(
            f"cannot find the shim {found}",
            remedy="build it with `make setup`, or give --shim PATH",
        )
    return str(found.absolute())


def _meta(obj: JsonObject) -> dict[str, Any]:
    return dict(obj["metadata"])


def _key(obj: JsonObject) -> str:
    return f"{_meta(obj)['namespace']}/{_meta(obj)['name']}"


def _title(obj: JsonObject) -> str:
    meta = obj.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    return f"{obj.get('kind') or 'an object without kind'} {name or ''}".strip()


def _add_pod_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pods", nargs="*", metavar="[NAMESPACE/]NAME", help="pods to remove")
    parser.add_argument(
        "--all",
        action="store_true",
        help="remove every pod of the directory, or with -n of a namespace",
    )


POD_ADD: Final = Command(
    words=("pod", "add"),
    help="create pods: admission, sandbox, attachments",
    run=add_pods,
    options=(MANIFESTS, WEBHOOK, CA, SOCKET, STATE_DIR, NODE, SHIM, WAIT_SECONDS, NAMESPACE),
    add_arguments=add_file_arguments,
    task=Task.PODS,
    example="netplane pod add -f web.yaml --manifests /etc/netplane/manifests "
    "--ca /run/netplane/certs/ca.crt",
)
POD_RM: Final = Command(
    words=("pod", "rm"),
    help="detach and remove pods",
    run=remove_pods,
    options=(MANIFESTS, SOCKET, STATE_DIR, NODE, SHIM, NAMESPACE),
    add_arguments=_add_pod_names,
    task=Task.PODS,
    example="netplane pod rm shop/web --manifests /etc/netplane/manifests",
)
