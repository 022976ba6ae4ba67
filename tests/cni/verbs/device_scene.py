"""Pod shop/web with networks of a resource, on a node with a kubelet of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, Namespace, Pod
from tests.cni.runtime_scene import DEFAULT
from tests.support.cni.exec import plain
from tests.support.cni.kubelet import write_checkpoint
from tests.support.cni.runtime import Bench
from tests.support.planes import make_plane
from tests.support.store import FakeStore

VF = "example.com/vfs"
ONE, TWO, THREE = "0000:03:02.1", "0000:03:02.2", "0000:03:02.3"
CAPABLE = {"capabilities": {"deviceID": True, "CNIDeviceInfoFile": True}}
INFO = '{"type":"pci","version":"1.1.0","pci":{"pci-address":"%s"}}'


def nad(name: str, *plugins: dict[str, Any], resource: str = VF) -> Nad:
    conf = {"cniVersion": "1.0.0", "name": name, "plugins": list(plugins)}
    annotations = {RESOURCE_NAME_ANNOTATION: resource} if resource else {}
    return Nad("shop", name, json.dumps(conf), annotations)


NADS = (
    nad("vf", {"type": "sriov", **CAPABLE}, {"type": "meta"}),
    nad("rdma", {"type": "two", "master": "eth1"}),
    nad("macvlan", {"type": "macvlan", "master": "eth1"}),
    nad("fixed", {"type": "sriov", "deviceID": "0000:09:00.1"}),
)


async def scene(root: Path, networks: object = "vf,vf", **more: Any) -> Bench:
    """Return a runtime with pod shop/web, whose kubelet is below ROOT/kubelet."""
    text = networks if isinstance(networks, str) else json.dumps(networks)
    annotations = {"k8s.v1.cni.cncf.io/networks": text, **more.pop("annotations", {})}
    fast = make_plane("fast", network={"type": "sriov", "resourceName": "example.com/fast"})
    store = FakeStore(
        planes=[fast],
        nads=NADS,
        namespaces=[Namespace("shop", more.pop("labels", {}))],
        pods=[Pod("shop", "web", uid="u1", annotations=annotations)],
    )
    made = await Bench(root, store, DEFAULT).open()
    for kind in ("sriov", "macvlan"):
        made.exec.scripts[kind] = plain
    return made


def given(root: Path, *devices: str, resource: str = VF, uid: str = "u1") -> None:
    write_checkpoint(root / "kubelet", (uid, resource, {"-1": list(devices)}))


def say(root: Path, device: str) -> None:
    """Write what the device plugin says of a device."""
    (root / "devinfo/dp").mkdir(parents=True, exist_ok=True)
    (root / f"devinfo/dp/example.com-vfs-{device}-device.json").write_text(INFO % device)


def device_of(made: Bench, name: str) -> tuple[Any, ...]:
    conf = made.exec.one(name).conf
    return tuple(conf.get(key) for key in ("deviceID", "pciBusID"))
