"""A tenant writes labels and annotations without end: what the shipped policies cost then.

An expression that walks a map costs the square of its size: 5 s of the API server for 40,000 labels
of a namespace, at each pod that is created in it.
"""

from __future__ import annotations

import time

from planes.model.errors import JsonObject
from tests.attacks.apiserver.shipped import STATUS, SYSTEM, Shipped, by_policy, pod_object
from tests.cluster.rest import NAMESPACES, pods


def many(count: int) -> dict[str, str]:
    return {f"l{number}": "" for number in range(count)}


def space(name: str, count: int) -> JsonObject:
    return {"metadata": {"name": name, "labels": many(count)}}


def test_tenant_gives_its_namespace_no_more_labels_than_policies_look_through(
    shipped: Shipped,
) -> None:
    assert by_policy(shipped.admin.create(NAMESPACES, space("at-once", 40_000)))
    made = shipped.admin.create(NAMESPACES, space("some", 900))  # one more is its name
    assert made.is_success, made.message
    path = f"{NAMESPACES}/some"
    assert by_policy(shipped.admin.merge(path, {"metadata": {"labels": many(2_000)}}))
    assert shipped.admin.create(pods("some"), pod_object("web", "some", "n1")).is_success


def test_tenant_namespace_that_has_more_labels_from_before_is_still_updated(
    shipped: Shipped,
) -> None:
    """It can be changed, and go; only more labels than it has it does not get."""
    binding = "validatingadmissionpolicybinding/netplane-join"
    saved = shipped.server.get(binding)
    shipped.server.kubectl("delete", binding)
    end = time.monotonic() + 60
    while not shipped.admin.create(NAMESPACES, space("before", 1_200)).is_success:
        assert time.monotonic() < end
    saved["metadata"] = {"name": saved["metadata"]["name"]}
    shipped.server.apply(saved)
    path = f"{NAMESPACES}/before"
    more = {"metadata": {"labels": {"one": "more"}}}
    while not by_policy(shipped.admin.merge(f"{path}?dryRun=All", more)):
        assert time.monotonic() < end
    for patch in (
        {"metadata": {"annotations": {"a": "b"}}},
        {"metadata": {"labels": {"l0": None}}},
    ):
        reply = shipped.admin.merge(path, patch)
        assert reply.is_success, reply.message


def test_tenant_pod_with_annotations_without_end_costs_the_api_server_no_more(
    shipped: Shipped,
) -> None:
    """Its node is refused to write: nothing is attached to it, and nobody else waits."""
    obj = pod_object("many", "default", "n1")
    obj["metadata"]["annotations"] = many(20_000)
    assert shipped.admin.create(pods("default"), obj).is_success
    patch = {"metadata": {"annotations": {STATUS: "[]"}}}
    reply = shipped.n1.merge(f"{pods('default')}/many/status", patch)
    assert by_policy(reply)
    assert "annotations" in reply.message
    assert shipped.read(f"{NAMESPACES}/{SYSTEM}")
