"""Every error at once, in the order of the annotation, each at the place that its author wrote."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.errors import JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from planes.model.objects import NadRef, Pod
from tests.support.model import (
    admit,
    make_catalog,
    make_nad,
    make_namespace,
    make_plane,
    pod_object,
    replica,
)

NETWORKS = f"metadata.annotations[{NETWORKS_ANNOTATION}]"
STATIC = f"metadata.annotations[{STATIC_IPS_ANNOTATION}]"
JOINED = make_namespace(business="enabled")
BUSINESS = make_plane()


def on(pod: JsonObject, *planes: Any, **options: Any) -> Decision:
    return decide(Pod.from_object(pod), JOINED, make_catalog(*(planes or (BUSINESS,)), **options))


def paths(decision: Decision) -> list[str]:
    return [error.path for error in decision.errors]


def test_an_element_that_cannot_be_read_hides_no_other_error() -> None:
    networks = '[{"name":"own","mac":"x"},{"name":"none"},{"name":"own","interface":"eth0"}]'
    pod = pod_object(networks=networks, static={"business": ["10.0.0.1", "y"]})
    namespace = make_namespace(business="enabled", stoarge="required", other="maybe")
    decision = decide(
        Pod.from_object(pod), namespace, make_catalog(BUSINESS, nads=[make_nad("own")])
    )
    assert paths(decision) == [
        "namespace.metadata.labels[plane.netplane.io/stoarge]",
        f"{NETWORKS}[0].mac",
        f"{STATIC}.business[1]",
        f"{NETWORKS}[1].name",
        f"{STATIC}.business[0]",
        f"{NETWORKS}[2].interface",
    ]
    assert "neither enabled nor required" in decision.warnings[0].message
    assert not decision.annotations


@pytest.mark.parametrize("networks", ["own,,none", '[{"name":"own"},{},{"name":"none"}]'])
def test_elements_after_an_unreadable_one_keep_their_places(networks: str) -> None:
    decision = on(pod_object(networks=networks), nads=[make_nad("own")])
    assert paths(decision)[-1].startswith(f"{NETWORKS}[2]")
    assert [each.interface for each in decision.attachments] == ["net1", "net3", "net4"]


def test_an_unreadable_element_may_be_the_one_that_asks_for_the_plane() -> None:
    plane = make_plane(attachment="OnRequest")
    static = {"business": ["192.168.100.5"], "nothing": ["10.0.0.1"]}
    decision = on(pod_object(networks='[{"nam":"business"}]', static=static), plane)
    assert paths(decision) == [f"{NETWORKS}[0].name", f"{STATIC}.nothing"]


@pytest.mark.parametrize(
    ("static", "path", "words"),
    [
        (["10.0.0.1"], "[0]", "outside plane"),
        ("192.168.0.1", "[0]", "the gateway"),
        (["192.168.100.5", "10.0.0.0/30"], "[1]", "outside plane"),
    ],
)
def test_a_bad_static_address_is_reported_where_it_is_written(
    static: Any, path: str, words: str
) -> None:
    (error,) = on(replica("web", int(path[1]), static={"business": static})).errors
    assert error.path == f"{STATIC}.business{path}"
    assert words in error.message


def test_it_is_reported_there_too_once_an_earlier_review_has_written_it() -> None:
    """By validation: the pod then has the address in both annotations."""
    pod = pod_object("first", static={"business": ["192.168.100.5"]})
    _, first = admit(pod, JOINED, make_catalog(BUSINESS))
    second = {**first, "metadata": {**first["metadata"], "name": "second"}}
    assert paths(on(second, pods=[first])) == [f"{STATIC}.business[0]"]


def test_a_reserved_address_that_is_held_names_the_reservation() -> None:
    entry = {"ip": "192.168.100.5", "namespace": "shop", "ordinal": 0}
    plane = make_plane(staticIPs={"allow": "Reserved", "reservations": [entry]})
    _, holder = admit(replica("old", 0), JOINED, make_catalog(plane))
    decision = on(replica("new", 0), plane, pods=[holder])
    assert paths(decision) == ["spec.staticIPs.reservations of plane business"]


def test_two_planes_of_one_nad_are_warned_about() -> None:
    network = {"nadRef": {"namespace": "ops", "name": "biz"}}
    planes = [
        make_plane(name, network=network, subnets=None, staticIPs=None) for name in ("one", "two")
    ]
    catalog = make_catalog(*planes, nads=[make_nad("biz", "ops")])
    (problem,) = catalog.warnings
    assert "planes one, two share NAD ops/biz" in problem.message
    namespace = make_namespace(one="enabled", two="enabled")
    decision = decide(Pod.from_object(pod_object()), namespace, catalog)
    assert [each.network for each in decision.attachments] == [NadRef("ops", "biz")]
    assert decision.warnings == (problem,)
    alone = decide(Pod.from_object(pod_object()), make_namespace(two="enabled"), catalog)
    assert not alone.warnings
