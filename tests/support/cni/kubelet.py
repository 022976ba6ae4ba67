"""A kubelet of a test's own: the pod resources API on a unix socket, and the checkpoint file.

`ApiKubelet` is a real gRPC server; its messages are encoded here, apart from the code under test.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

SERVICE = "v1.PodResourcesLister"
Containers = Sequence[Mapping[str, Sequence[str]]]
"""Of each container the device IDs by resource."""


def field_of(number: int, data: bytes) -> bytes:
    """Encode a length-delimited field."""
    assert number < 16
    size, length = len(data), b""
    while size > 127:
        length += bytes((size & 127 | 128,))
        size >>= 7
    return bytes((number << 3 | 2,)) + length + bytes((size,)) + data


def pod_message(namespace: str, name: str, containers: Containers) -> bytes:
    """Encode PodResources, with fields that nobody reads among them."""
    made = field_of(1, name.encode()) + field_of(2, namespace.encode())
    for container in containers:
        inner = field_of(1, b"c") + b"\x18\x05"  # cpu_ids = 3, a varint
        for resource, devices in container.items():
            ids = b"".join(field_of(2, each.encode()) for each in devices)
            topology = field_of(3, field_of(1, b"\x08\x01"))
            inner += field_of(2, field_of(1, resource.encode()) + ids + topology)
        made += field_of(3, inner)
    return made


@dataclass
class ApiKubelet:
    """The answers of a kubelet.

    Attributes:
        pods: (namespace, name) to containers.
        has_get: whether it has the method Get; else its gate is off.
        delay: seconds before each answer.
        refusals: codes with which the next calls are refused.
        raw: answered in place of a message.
        asked: the methods called, in order.
    """

    pods: dict[tuple[str, str], Containers] = field(default_factory=dict)
    twins: list[bytes] = field(default_factory=list)
    has_get: bool = True
    delay: float = 0.0
    refusals: list[grpc.StatusCode] = field(default_factory=list)
    raw: bytes | None = None
    asked: list[str] = field(default_factory=list)

    def get(self, request: bytes, context: Any) -> bytes:
        """Answer Get."""
        self._begin("Get", context)
        if not self.has_get:
            context.abort(grpc.StatusCode.UNKNOWN, "PodResources API Get method disabled")
        for (namespace, name), containers in self.pods.items():
            if request == field_of(1, name.encode()) + field_of(2, namespace.encode()):
                made = field_of(1, pod_message(namespace, name, containers))
                return made if self.raw is None else self.raw
        context.abort(grpc.StatusCode.UNKNOWN, "pod not found")
        raise AssertionError

    def list(self, _request: bytes, context: Any) -> bytes:
        """Answer List."""
        self._begin("List", context)
        made = [pod_message(*key, containers) for key, containers in self.pods.items()]
        whole = b"".join(field_of(1, each) for each in [*made, *self.twins])
        return whole if self.raw is None else self.raw

    def _begin(self, method: str, context: Any) -> None:
        self.asked.append(method)
        time.sleep(self.delay)
        if self.refusals:
            context.abort(self.refusals.pop(0), "not now")


@contextmanager
def serving(kubelet: ApiKubelet, directory: Path) -> Iterator[ApiKubelet]:
    """Serve on DIRECTORY/pod-resources/kubelet.sock; the path must be short."""
    path = directory / "pod-resources" / "kubelet.sock"
    path.parent.mkdir(parents=True, exist_ok=True)
    methods: dict[str, Callable[[bytes, Any], bytes]] = {"Get": kubelet.get, "List": kubelet.list}
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()
    }
    options = [("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(4), options=options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    assert server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield kubelet
    finally:
        server.stop(None).wait()
        path.unlink(missing_ok=True)


def write_checkpoint(directory: Path, *entries: tuple[str, str, Any]) -> Path:
    """Write the kubelet's checkpoint: (pod UID, resource, DeviceIDs) each; return its path."""
    path = directory / "device-plugins" / "kubelet_internal_checkpoint"
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = [
        {"PodUID": uid, "ContainerName": "c", "ResourceName": resource, "DeviceIDs": devices}
        for uid, resource, devices in entries
    ]
    data = {"PodDeviceEntries": listed, "RegisteredDevices": {}}
    path.write_text(json.dumps({"Data": data, "Checksum": 1}))
    return path
