"""Three networks on a real node: bridge by default, a bridge NAD, a macvlan plane."""

from __future__ import annotations

import json
from typing import Any

from tests.support.node.daemon import Place
from tests.support.node.netns import Node, run
from tests.support.planes import plane_object

JsonObject = dict[str, Any]


def pod_object(name: str, networks: str) -> JsonObject:
    """Return the manifest of a pod of namespace shop."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "annotations": {"k8s.v1.cni.cncf.io/networks": networks},
        },
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }


def _cluster(files: str) -> JsonObject:
    ipam = {
        "type": "host-local",
        "dataDir": files,
        "ranges": [[{"subnet": "10.244.1.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": "cluster", "plugins": [bridge]}


def set_up(place: Place) -> None:
    """Write the manifests and the default network; pod shop/web asks for the bridge NAD."""
    files = str(place.directory / "host-local")
    place.default_network(_cluster(files))
    nad = {
        "cniVersion": "1.0.0",
        "type": "bridge",
        "bridge": "br-store",
        "ipam": {"type": "host-local", "dataDir": files, "subnet": "172.16.0.0/16"},
    }
    place.manifest(
        "shop",
        plane_object("business", network={"type": "macvlan", "master": "eth1", "mode": "bridge"}),
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "shop", "labels": {"plane.netplane.io/business": "enabled"}},
        },
        {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": "store", "namespace": "shop"},
            "spec": {"config": json.dumps(nad)},
        },
        pod_object("web", "store"),
    )


def leftovers(place: Place, node: Node) -> dict[str, list[str]]:
    """Return what is left of attachments, everywhere; all lists are empty where nothing is."""
    addresses = [
        str(path.relative_to(place.directory))
        for root in (place.directory / "host-local", place.state / "addresses")
        for path in root.rglob("*")
        if path.is_file() and path.name[0].isdigit()
    ]
    rules = [
        line
        for command in (["iptables-save"], ["nft", "list", "ruleset"])
        for line in run("ip", "netns", "exec", node.host.name, *command).splitlines()
        if "CNI-" in line or "masquerade" in line
    ]
    return {
        "sandbox": [
            link["ifname"] for link in node.sandbox.ip_json("link") if link["ifname"] != "lo"
        ],
        "host": [
            link["ifname"]
            for link in node.host.ip_json("link")
            if link["ifname"].startswith("veth")
        ],
        "addresses": addresses,
        "rules": rules,
        "journal": [path.name for path in (place.state / "journal").rglob("*") if path.is_file()],
        "status": [path.name for path in (place.state / "status").rglob("*") if path.is_file()],
        "spool": [path.name for path in (place.state / "spool").rglob("*") if path.is_file()],
    }


NOTHING: dict[str, list[str]] = {
    "sandbox": [],
    "host": [],
    "addresses": [],
    "rules": [],
    "journal": [],
    "status": [],
    "spool": [],
}
