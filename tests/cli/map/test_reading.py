"""What a map shows of a cluster, and of one machine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from planes.cli.map.facts import MapPod, NetworkKind, PlaneMap
from planes.cli.map.pod_reading import MOST_GROUPS, MOST_OTHER_NETWORKS, MOST_PODS
from planes.cli.map.reading import MOST_PLANES, read_map
from planes.cli.reading.directory_api import DirectoryApi
from planes.cli.reading.place import Place
from planes.kube.resources import IPBLOCKS, PLANES, PODS
from planes.model.errors import Denied
from planes.model.names import STATIC_IPS_ANNOTATION, STATUS_ANNOTATION
from tests.cli.cluster_place import A
from tests.cli.cluster_place import Place as Cluster
from tests.cli.map.scenes import pod_object, small_machine, status
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import plane_object


def map_of(kube: FakeKube, by: str = "node", namespace: str = "") -> PlaneMap:
    place = Place(kube, FakeClock(), "the cluster")
    return asyncio.run(read_map(place, by, namespace))


def pods_of(shown: PlaneMap) -> dict[str, MapPod]:
    return {pod.name: pod for group in shown.groups for pod in group.pods}


def on_plane(name: str, *ips: str, annotations: dict[str, str] | None = None) -> Any:
    pod = pod_object("shop", name, "n1", status("netplane-system/business", "net1", *ips))
    pod["metadata"]["annotations"].update(annotations or {})
    return pod


def test_one_machine_is_shown_by_its_manifests_and_state(tmp_path: Path) -> None:
    small_machine(tmp_path)
    manifests, state = tmp_path / "manifests", tmp_path / "state"
    place = Place(DirectoryApi(manifests, state), FakeClock(), "x", manifests, state)
    shown = asyncio.run(read_map(place, "node"))
    assert [network.name for network in shown.networks] == [
        "cluster network",
        "business",
        "storage",
    ]
    assert [(group.name, group.count) for group in shown.groups] == [("node1", 3), ("node2", 2)]
    stops = pods_of(shown)["database-0"].stops
    assert [(s.interface, s.addresses[0].text, s.is_static) for s in stops] == [
        ("eth0", "10.244.1.5", False),
        ("net1", "192.168.100.10", True),
        ("storage0", "172.16.1.10", False),
    ]
    business = shown.strips[0]
    assert [str(ip) for ip in business.used][-1] == "192.168.100.11"
    assert business.free == 90 * 256 - 1 - 2
    assert [str(ip) for ip, _ in business.kept] == ["192.168.100.40"]


def test_pods_are_grouped_by_namespace_where_that_is_asked_for() -> None:
    kube = FakeKube((PODS, pod_object("a", "x", "n1")), (PODS, pod_object("b", "y", "n1")))
    assert [group.name for group in map_of(kube, "namespace").groups] == ["a", "b"]


def test_only_one_namespace_is_shown_where_that_is_asked_for() -> None:
    kube = FakeKube((PODS, pod_object("a", "x", "n1")), (PODS, pod_object("b", "y", "n1")))
    assert list(pods_of(map_of(kube, namespace="b"))) == ["y"]


@pytest.mark.parametrize(
    "annotations",
    [
        {
            "k8s.v1.cni.cncf.io/networks": '[{"name": "business", "namespace": "netplane-system",'
            ' "ips": ["10.9.0.7/24"]}]'
        },
        {STATIC_IPS_ANNOTATION: '{"business": ["10.9.0.7"]}'},
    ],
)
def test_an_address_that_the_pod_asked_for_is_static(annotations: dict[str, str]) -> None:
    kube = FakeKube(
        (PLANES, plane_object()), (PODS, on_plane("w", "10.9.0.7", annotations=annotations))
    )
    (stop,) = pods_of(map_of(kube))["w"].stops
    assert stop.is_static


def test_an_address_that_a_block_holds_is_static() -> None:
    cluster = Cluster()
    cluster.hold(A, "db-0", cluster.pod("db-0", A))
    (stop,) = pods_of(map_of(cluster.kube))["db-0"].stops
    assert stop.is_static


def test_other_addresses_are_dynamic() -> None:
    kube = FakeKube((PLANES, plane_object()), (PODS, on_plane("w", "10.9.0.7", "10.9.0.8")))
    (stop,) = pods_of(map_of(kube))["w"].stops
    assert [one.is_static for one in stop.addresses] == [False, False]


def test_a_network_of_others_has_a_line_by_its_name() -> None:
    kube = FakeKube(
        (PODS, pod_object("shop", "w", "n1", status("shop/backup", "net1", "10.1.1.1")))
    )
    (network,) = map_of(kube).networks
    assert (network.kind, network.name, network.short) == (
        NetworkKind.OTHER,
        "shop/backup",
        "backup",
    )


def test_networks_without_end_share_a_line() -> None:
    kube = FakeKube()
    for n in range(MOST_OTHER_NETWORKS + 6):
        kube.put_object(
            PODS, pod_object("evil", f"p{n:02}", "n1", status(f"evil/net{n:02}", "net1"))
        )
    shown = map_of(kube)
    assert len(shown.networks) == MOST_OTHER_NETWORKS + 1
    assert shown.networks[-1].kind is NetworkKind.REST
    assert shown.groups[0].interfaces[MOST_OTHER_NETWORKS] == 6


def test_interfaces_and_addresses_without_end_are_counted() -> None:
    many = [status("evil/a", f"net{n}", *[f"10.0.{n}.{i}" for i in range(20)]) for n in range(60)]
    kube = FakeKube((PODS, pod_object("evil", "p", "n1", *many)))
    pod = pods_of(map_of(kube))["p"]
    assert len(pod.stops) + pod.more == 60
    assert all(len(stop.addresses) + stop.more == 20 for stop in pod.stops)
    assert len(pod.stops) < 60


@pytest.mark.parametrize("text", ["{", '"x"', "[1]", '[{"name": 3}]', "[" + " " * (1 << 17)])
def test_a_status_that_cannot_be_read_is_noted_and_the_pod_is_shown(text: str) -> None:
    pod = pod_object("shop", "w", "n1")
    pod["metadata"]["annotations"][STATUS_ANNOTATION] = text
    shown = map_of(FakeKube((PODS, pod)))
    assert pods_of(shown)["w"].stops == ()
    assert shown.notes[0].startswith("1 pod without stops: what network-status says")


def test_names_are_one_printable_line() -> None:
    element = {"name": "a\u202eb\x1b[2J", "interface": "net\n1", "ips": ["1.2.3.4\x07"]}
    pod = pod_object("shop", "w", "n1")
    pod["metadata"]["annotations"][STATUS_ANNOTATION] = json.dumps([element])
    shown = map_of(FakeKube((PODS, pod)))
    assert shown.networks[0].name == "a?b?[2J"
    (stop,) = pods_of(shown)["w"].stops
    assert (stop.interface, stop.addresses[0].text) == ("net 1", "1.2.3.4?")


def test_pods_beyond_a_bound_are_counted_and_noted() -> None:
    kube = FakeKube()
    for n in range(MOST_PODS + 5):
        kube.put_object(PODS, pod_object("shop", f"p{n:04}", f"n{n % 2}"))
    shown = map_of(kube)
    assert shown.pods == MOST_PODS + 5
    assert len(pods_of(shown)) == MOST_PODS
    assert shown.notes[0].startswith("5 pods counted and not drawn")


def test_groups_beyond_a_bound_are_counted() -> None:
    kube = FakeKube()
    for n in range(MOST_GROUPS + 3):
        kube.put_object(PODS, pod_object("shop", f"p{n}", f"n{n:03}"))
    shown = map_of(kube)
    assert (len(shown.groups), shown.more_groups, shown.more_pods) == (MOST_GROUPS, 3, 3)
    assert shown.pods == MOST_GROUPS + 3


def test_a_plane_that_is_not_valid_is_left_out_and_it_is_said_why() -> None:
    kube = FakeKube((PLANES, plane_object("good")))
    kube.put_object(PLANES, plane_object("bad", network={"type": "macvlan", "vlan": 7}))
    shown = map_of(kube)
    assert [network.name for network in shown.networks] == ["good"]
    (note,) = shown.notes
    assert note.startswith("left out: cannot use plane bad: spec.network.")


def test_of_many_planes_that_are_not_valid_the_rest_is_counted() -> None:
    kube = FakeKube()
    for number in range(25):
        kube.put_object(PLANES, plane_object(f"bad-{number}", network={"type": "moon"}))
    notes = map_of(kube).notes
    assert len(notes) == 21
    assert notes[-1] == "5 more planes are left out"


def test_planes_beyond_a_bound_are_named() -> None:
    kube = FakeKube()
    for n in range(MOST_PLANES + 2):
        subnets = [{"cidr": f"10.{n}.0.0/16"}]
        kube.put_object(PLANES, plane_object(f"p{n:02}", order=n, subnets=subnets))
    shown = map_of(kube)
    assert shown.planes == MOST_PLANES
    assert shown.notes == ("2 planes have no line of their own: p64, p65",)


def test_who_may_list_one_namespace_sees_its_pods_and_their_addresses() -> None:
    kube = FakeKube((PLANES, plane_object()), (PODS, on_plane("w", "10.9.0.7")))
    kube.put_object(PODS, pod_object("other", "x", "n1"))
    kube.fail_next(Denied("cannot list pods"), verb="list", resource=PODS)
    kube.fail_next(Denied("cannot list ipblocks"), verb="list", resource=IPBLOCKS)
    shown = map_of(kube, namespace="shop")
    assert list(pods_of(shown)) == ["w"]
    assert list(map(str, shown.strips[0].used)) == ["10.9.0.7"]
    assert shown.notes[0].endswith("cannot list pods")
    assert {namespace for _, kind, namespace, _ in kube.requests[2:] if kind == "pods"} == {"shop"}


def test_who_may_not_list_pods_is_told() -> None:
    kube = FakeKube((PLANES, plane_object()))
    kube.fail_next(Denied("cannot list pods"), verb="list", resource=PODS)
    with pytest.raises(Denied, match="cannot list pods"):
        map_of(kube)


def test_a_pod_without_node_is_in_a_group_of_its_own() -> None:
    shown = map_of(FakeKube((PODS, pod_object("shop", "w", ""))))
    assert shown.title(shown.groups[0]) == "no node yet"
