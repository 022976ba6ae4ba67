"""Creating and removing pods as API server and kubelet do: admission, file, sandbox, CNI calls.

Invariant: a pod that could not be created leaves nothing: no attachment, no namespace, no file. A
pod whose DEL fails keeps its file and namespace, so that it can be removed again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from planes.cli.admission import Admission
from planes.cli.console import Console
from planes.cli.sandbox import Sandbox, Shim
from planes.model.errors import Conflict, JsonObject, NotFound, PlanesError
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Pod
from planes.store.pod_files import PodFiles
from planes.store.records import StatusFiles

WAIT_SECONDS: Final = 60
"""Seconds that the shim's ADD waits for a daemon that is away, unless it is set otherwise."""


@dataclass(frozen=True, slots=True)
class Kubelet:
    """Creates and removes pods on this machine.

    Attributes:
        pods: where pods are kept.
        statuses: where the daemon publishes their network-status.
        shim: calls the daemon.
        node: the node's name, written into the pods.
        console: where progress and warnings are printed.
    """

    pods: PodFiles
    statuses: StatusFiles
    shim: Shim
    node: str
    console: Console

    def add(self, manifest: JsonObject, admission: Admission) -> JsonObject:
        """Admit a pod, store it and attach it; return it as stored at the end.

        Raises:
            Conflict: a pod of that name exists.
            Denied: the webhook refuses it.
            PlanesError: it could not be attached; nothing of it is left.
        """
        meta = manifest["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        if self.pods.get(namespace, name) is not None:
            raise Conflict(
                f"cannot create pod {namespace}/{name}: it exists already",
                remedy=f"remove it first: netplane pod rm {namespace}/{name}",
            )
        with self.console.progress(f"pod {namespace}/{name}: admission"):
            admitted = admission.admit(_created(manifest))
        for warning in admitted.warnings:
            self.console.warn(f"pod {namespace}/{name}: {warning}")
        sandbox = Sandbox(namespace, name, admitted.pod["metadata"]["uid"])
        pod = self._bound(admitted.pod, sandbox)
        self._announce_wait(f"{namespace}/{name}")
        with self._all_or_nothing(sandbox):
            with self.console.progress(f"pod {namespace}/{name}: attaching"):
                self.pods.put(pod)
                sandbox.make_netns()
                result = self.shim.call("ADD", sandbox)
            pod = self._running(pod, result)
            self.pods.put(pod)
        return pod

    def after_failure(self) -> Kubelet:
        """Return a kubelet for the next pods; without a daemon it does not wait for one again."""
        if self.shim.has_daemon():
            return self
        return replace(self, shim=replace(self.shim, wait_seconds=0))

    def _announce_wait(self, pod: str) -> None:
        """Print that the daemon is away and how long ADD waits for it."""
        seconds = WAIT_SECONDS if self.shim.wait_seconds is None else self.shim.wait_seconds
        if seconds and not self.shim.has_daemon():
            self.console.note(
                f"pod {pod}: waiting up to {seconds} s for netplane-cni: nobody listens at "
                f"{self.shim.socket}",
                "yellow",
            )

    def remove(self, namespace: str, name: str) -> None:
        """Detach a pod and remove its file.

        Raises:
            NotFound: there is no such pod.
            PlanesError: it could not be detached; it is still there.
        """
        pod = self.pods.get(namespace, name)
        if pod is None:
            raise NotFound(
                f"cannot remove pod {namespace}/{name}: there is no such pod",
                remedy="netplane pod list shows those there are",
            )
        sandbox = Sandbox(namespace, name, Pod.from_object(pod).uid)
        with self.console.progress(f"pod {namespace}/{name}: detaching"):
            self._shim_of(pod).call("DEL", sandbox)
            sandbox.remove_netns()
            self.pods.remove(namespace, name)

    def _bound(self, pod: JsonObject, sandbox: Sandbox) -> JsonObject:
        """Return the pod bound to the node, with the sandbox it is going to have."""
        status = {
            **(pod.get("status") or {}),
            "phase": "Pending",
            "sandbox": {
                "containerID": sandbox.container_id,
                "netns": str(sandbox.netns),
                "socket": self.shim.socket,
                "stateDir": self.shim.state_dir,
            },
        }
        return {**pod, "spec": {**pod["spec"], "nodeName": self.node}, "status": status}

    def _shim_of(self, pod: JsonObject) -> Shim:
        """Return a shim for the daemon that attached the pod: only it has the journal entry."""
        sandbox = (pod.get("status") or {}).get("sandbox") or {}
        socket, state_dir = sandbox.get("socket"), sandbox.get("stateDir")
        if not (isinstance(socket, str) and isinstance(state_dir, str)):
            return self.shim
        return replace(self.shim, socket=socket, state_dir=state_dir)

    def _running(self, pod: JsonObject, result: JsonObject) -> JsonObject:
        """Return the pod as the API server has it when its sandbox is ready."""
        meta = pod["metadata"]
        addresses = [str(ip.get("address", "")).partition("/")[0] for ip in result.get("ips", [])]
        status = {**pod["status"], "phase": "Running", "podIPs": [{"ip": ip} for ip in addresses]}
        pod = {**pod, "status": status}
        self.statuses.refresh()
        text = self.statuses.texts().get((meta["namespace"], meta["name"]))
        if text is None:
            return pod
        annotations = {**(meta.get("annotations") or {}), STATUS_ANNOTATION: text}
        return {**pod, "metadata": {**meta, "annotations": annotations}}

    @contextmanager
    def _all_or_nothing(self, sandbox: Sandbox) -> Iterator[None]:
        try:
            yield
        except BaseException:  # Ctrl-C too
            self._undo(sandbox)
            raise

    def _undo(self, sandbox: Sandbox) -> None:
        try:
            with self.console.progress(f"pod {sandbox.namespace}/{sandbox.pod}: undoing"):
                self.shim.call("DEL", sandbox)
        except PlanesError as error:
            self.console.warn(f"{error.message}; the daemon collects what is left")
        undos = (sandbox.remove_netns, partial(self.pods.remove, sandbox.namespace, sandbox.pod))
        for undo in undos:
            try:
                undo()
            except PlanesError as error:
                self.console.warn(str(error))


def _created(manifest: JsonObject) -> JsonObject:
    """Return a pod as the API server has it before admission."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    own = {"uid": str(uuid.uuid4()), "creationTimestamp": now}
    spec = {key: value for key, value in manifest["spec"].items() if key != "nodeName"}
    pod = {key: value for key, value in manifest.items() if key != "status"}
    return {**pod, "metadata": {**manifest["metadata"], **own}, "spec": spec}
