"""A cluster with a plane and a namespace that joined it, and what is explained of it."""

from __future__ import annotations

import io
import json
from typing import Any

from planes.cli.console import Console, Format
from planes.cli.explaining.items import ExplainedItem
from planes.cli.explaining.live_namespace import explain_namespace
from planes.cli.explaining.live_pod import explain_pod
from planes.cli.explaining.one_address import AddressAsker, explain_address
from planes.cli.reading.place import Place
from planes.kube.resources import EVENTS, NAMESPACES, PLANES, PODS
from planes.model.errors import JsonObject
from planes.model.names import STATUS_ANNOTATION
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import plane_object

HANGS = (
    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for "
    'sandbox "c1": plugin type="netplane" name="netplane" failed (add): cannot attach plane '
    "business: eth1 is down; bring it up"
)


class ExplainedCluster:
    """A cluster in memory, and what commands print of it.

    Attributes:
        out: the printed results.
        err: the printed warnings and errors.
    """

    def __init__(self, **spec: Any) -> None:
        self.clock = FakeClock()
        self.kube = FakeKube(clock=self.clock)
        self.place = Place(self.kube, self.clock, "the cluster")
        self.kube.put_object(PLANES, plane_object(**spec))
        self.namespace("shop", {"plane.netplane.io/business": "enabled"})
        self.out = ""
        self.err = ""
        self._streams = io.StringIO(), io.StringIO()

    def namespace(self, name: str, labels: dict[str, str]) -> None:
        """Put a namespace."""
        self.kube.put_object(NAMESPACES, {"metadata": {"name": name, "labels": labels}})

    def pod(
        self,
        name: str,
        *,
        interfaces: list[JsonObject] | None = None,
        annotations: dict[str, str] | None = None,
        phase: str = "Running",
        node: str = "n1",
        space: str = "shop",
        **status: Any,
    ) -> str:
        """Put a pod and return its UID."""
        found = dict(annotations or {})
        if interfaces is not None:
            found[STATUS_ANNOTATION] = json.dumps(interfaces)
        spec = {"nodeName": node, "hostNetwork": False} if node else {"hostNetwork": False}
        meta = {"name": name, "namespace": space, "annotations": found}
        obj = {"metadata": meta, "spec": spec, "status": {"phase": phase, **status}}
        return str(self.kube.put_object(PODS, obj)["metadata"]["uid"])

    def event(self, reason: str, message: str, pod: str, uid: str, **more: Any) -> None:
        """Put an event about a pod, as a kubelet writes it where nothing else is said."""
        name = f"{pod}.{len(self.kube.objects(EVENTS)):x}"
        obj = {
            "metadata": {"name": name, "namespace": "shop"},
            "involvedObject": {"kind": "Pod", "namespace": "shop", "name": pod, "uid": uid},
            "reason": reason,
            "message": message,
            "type": "Warning",
            "source": {"component": "kubelet"},
            "reportingComponent": "kubelet",
            "lastTimestamp": "2026-11-21T08:00:00Z",
            **more,
        }
        self.kube.put_object(EVENTS, obj)

    async def explained_pod(self, name: str) -> ExplainedItem:
        """Explain a pod of shop."""
        return self._kept(await explain_pod(self.place, self._console(), "shop", name))

    async def explained_namespace(self, name: str = "shop") -> ExplainedItem:
        """Explain a namespace."""
        return self._kept(await explain_namespace(self.place, self._console(), name))

    async def explained_address(
        self, address: str, namespace: str = "", pod: str = ""
    ) -> ExplainedItem:
        """Explain an address of the plane."""
        asker = AddressAsker(namespace, pod)
        found = await explain_address(self.place, self._console(), "business", address, asker)
        return self._kept(found)

    def _console(self) -> Console:
        self._streams = io.StringIO(), io.StringIO()
        return Console(*self._streams, {}, output=Format.TABLE)

    def _kept(self, found: ExplainedItem) -> ExplainedItem:
        self.out, self.err = (stream.getvalue() for stream in self._streams)
        return found
