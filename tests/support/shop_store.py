"""The shop: one namespace with two planes and a NAD of its own, as several tests know it."""

from __future__ import annotations

from planes.model.objects import Nad, Namespace, Pod
from tests.support.planes import make_plane
from tests.support.store import FakeStore

NAD_CONFIG = '{"cniVersion":"1.0.0","name":"shop-net","type":"macvlan","master":"eth2"}'


def shop_store() -> FakeStore:
    """Return a store: `shop` joins `business` and `storage`, and 192.168.100.50 is held."""
    business = make_plane(
        "business",
        purpose="business traffic",
        network={"type": "macvlan", "master": "eth1", "mode": "bridge"},
        subnets=[
            {
                "cidr": "192.168.0.0/16",
                "gateway": "192.168.0.1",
                "ranges": ["192.168.10.0-192.168.99.255"],
                "staticRanges": ["192.168.100.0/24"],
            }
        ],
        staticIPs={"allow": "Any", "perOrdinal": True},
    )
    storage = make_plane("storage", interface="san0", subnets=[{"cidr": "10.8.0.0/24"}])
    labels = {f"plane.netplane.io/{name}": "enabled" for name in ("business", "storage")}
    holder = Pod(
        "shop",
        "legacy",
        annotations={
            "k8s.v1.cni.cncf.io/networks": (
                '[{"name":"business","namespace":"netplane-system","ips":["192.168.100.50/16"]}]'
            )
        },
    )
    return FakeStore(
        planes=[business, storage],
        nads=[Nad("shop", "shop-net", NAD_CONFIG)],
        namespaces=[Namespace("shop", labels), Namespace("plain")],
        pods=[holder],
    )
