"""A device plugin of the lab: it registers with a node's kubelet and hands out interfaces.

It serves on a socket in the node's directory for device plugins, as any other does. Its devices are
interfaces of the node, by name. For each it writes a device information file.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc

from tests.cluster.lab.node import Node
from tests.support.cni.kubelet import field_of

_DIRECTORY: Final = "var/lib/kubelet/device-plugins"
_INFO: Final = "run/k8s.cni.cncf.io/devinfo"
_SOCKET: Final = "lab-cards.sock"
_REGISTER: Final = "/v1beta1.Registration/Register"
_SERVICE: Final = "v1beta1.DevicePlugin"


def information(device: str) -> dict[str, Any]:
    """Return what the plugin says of a device."""
    return {"type": "pci", "version": "1.1.0", "pci": {"pci-address": device}}


class _Plugin:
    """The service v1beta1.DevicePlugin; messages are few and encoded here."""

    def __init__(self, devices: Sequence[str]) -> None:
        self._devices = devices
        self._ended = threading.Event()

    def end(self) -> None:
        self._ended.set()

    def options(self, _request: bytes, _context: Any) -> bytes:
        return b""

    def watch(self, _request: bytes, _context: Any) -> Iterator[bytes]:
        """ListAndWatch: the devices once, all healthy, until the end."""
        yield b"".join(
            field_of(1, field_of(1, each.encode()) + field_of(2, b"Healthy"))
            for each in self._devices
        )
        self._ended.wait()

    def allocate(self, request: bytes, _context: Any) -> bytes:
        """Allocate: nothing to do in any container."""
        containers, at = 0, 0
        while at < len(request):  # container_requests = 1, of less than 128 bytes each
            assert request[at] == 0x0A
            at += 2 + request[at + 1]
            containers += 1
        return field_of(1, b"") * containers


@contextmanager
def device_plugin(node: Node, resource: str, devices: Sequence[str]) -> Iterator[Path]:
    """Run the plugin for a node; yield the node's directory of device information files."""
    root = Path(f"/proc/{node.inside.init}/root")
    directory, info = root / _DIRECTORY, root / _INFO
    (info / "dp").mkdir(parents=True, exist_ok=True)
    for each in devices:
        name = f"{resource.replace('/', '-')}-{each}-device.json"
        (info / "dp" / name).write_text(json.dumps(information(each)))
    plugin = _Plugin(devices)
    handlers = {
        "GetDevicePluginOptions": grpc.unary_unary_rpc_method_handler(plugin.options),
        "ListAndWatch": grpc.unary_stream_rpc_method_handler(plugin.watch),
        "Allocate": grpc.unary_unary_rpc_method_handler(plugin.allocate),
    }
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    assert server.add_insecure_port(f"unix:{directory / _SOCKET}")
    server.start()
    try:
        _register(directory / "kubelet.sock", resource)
        yield info
    finally:
        plugin.end()
        server.stop(None).wait()
        (directory / _SOCKET).unlink(missing_ok=True)


def _register(kubelet: Path, resource: str) -> None:
    request = field_of(1, b"v1beta1") + field_of(2, _SOCKET.encode())
    request += field_of(3, resource.encode())
    with grpc.insecure_channel(f"unix:{kubelet}") as channel:
        channel.unary_unary(_REGISTER)(request, timeout=10)
