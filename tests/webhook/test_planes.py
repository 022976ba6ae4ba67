"""Reviews of planes: the errors and warnings at apply and delete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from planes.model.errors import JsonObject
from planes.model.objects import Namespace, Pod
from planes.model.spec.plane import parse_plane
from tests.support.model import pod_object
from tests.support.planes import make_plane, plane_object
from tests.support.store import FakeStore
from tests.support.webhook.admission import review_object
from webhook.planes import validate_plane
from webhook.review import Allowed, Errored, parse

PLANES = {"group": "netplane.io", "version": "v1alpha1", "resource": "planes"}
MEMBER = {"plane.netplane.io/business": "enabled"}


def warnings(obj: JsonObject, store: FakeStore, operation: str = "CREATE") -> list[str]:
    new = None if operation == "DELETE" else obj
    old = None if operation == "CREATE" else obj
    asked = review_object(new, old=old, operation=operation, resource=PLANES)
    answer = validate_plane(parse(orjson.dumps(asked)), store)
    assert isinstance(answer, Allowed)
    return list(answer.warnings)


def with_pods(*names: str, space: str = "shop", **spec: Any) -> FakeStore:
    pods = (
        pod_object(name, namespace=space, networks="netplane-system/business") for name in names
    )
    return FakeStore(
        planes=[make_plane(**spec)],
        namespaces=[Namespace("shop", MEMBER), Namespace("stranger", {})],
        pods=map(Pod.from_object, pods),
    )


def test_a_plane_with_the_addresses_of_another_is_warned_about() -> None:
    first, *_ = warnings(plane_object("alpha"), FakeStore(planes=[make_plane()]))
    assert first.startswith("the plane will not be in force: it would hand out 10.9.0.2-10.9.0.254")
    assert "plane business" in first


def test_a_change_that_puts_a_later_plane_out_of_force_names_it() -> None:
    early = replace(make_plane(), created="2026-11-01T00:00:00Z")
    subnet = {"cidr": "10.8.0.0/24"}
    late = replace(make_plane("late", subnets=[subnet]), created="2026-11-02T00:00:00Z")
    obj = plane_object(subnets=[{"cidr": "10.9.0.0/24"}, subnet])
    obj["metadata"]["creationTimestamp"] = early.created
    (text,) = warnings(obj, FakeStore(planes=[early, late]), "UPDATE")
    assert text.startswith("plane late will no longer be in force: it would hand out 10.8.0.")


def test_a_plane_that_is_written_again_does_not_meet_itself() -> None:
    assert warnings(plane_object(), FakeStore(planes=[make_plane()]), "UPDATE") == []


def test_a_plane_that_is_mended_is_not_warned_about() -> None:
    obj = plane_object("late", network={"type": "macvlan", "master": "eth2"})
    store = FakeStore(planes=[make_plane(), parse_plane(plane_object("late"))])
    assert warnings(obj, store, "UPDATE") == []


def test_what_is_wrong_with_a_plane_is_told_where_it_is_applied() -> None:
    obj = plane_object(subnets=[{"cidr": "10.9.0.0/24", "exclude": ["10.9.0.0/24"]}])
    (text,) = warnings(obj, FakeStore())
    assert text.startswith("the plane will not be in force as it is written: spec.subnets[0]")


def test_a_value_without_effect_that_is_stored_is_named_when_the_plane_is_written() -> None:
    obj = plane_object(enforcement={"workloads": "Deny"})
    (text,) = warnings(obj, FakeStore(), "UPDATE")
    assert text.startswith("spec.enforcement.workloads: cannot choose: ")


def test_a_false_of_earlier_versions_is_named_with_what_takes_it_out() -> None:
    obj = plane_object(ipam={"conflictDetection": False})
    (text,) = warnings(obj, FakeStore(), "UPDATE")
    assert text.startswith("spec.ipam.conflictDetection: cannot stay false")
    assert "kubectl patch planes.netplane.io business --type=merge" in text


def test_deleting_a_plane_that_pods_have_names_them() -> None:
    store = with_pods("web-0", "web-1", "web-2", "web-3", "web-4")
    first, second = warnings(plane_object(), store, "DELETE")
    assert first == (
        "plane business stays in force until no pod has it: "
        "5 pods (shop/web-0, shop/web-1, shop/web-2 and 2 more)"
    )
    assert "remove label plane.netplane.io/business" in second


def test_deleting_an_orphaning_plane_says_what_becomes_of_pods() -> None:
    obj = plane_object(deletionPolicy="Orphan")
    (text,) = warnings(obj, with_pods("web-0", deletionPolicy="Orphan"), "DELETE")
    assert text.startswith("plane business is left to pod shop/web-0; new pods get none")


@pytest.mark.parametrize("store", [with_pods(), with_pods("web-0", space="stranger")])
def test_deleting_a_plane_that_nobody_has_says_nothing(store: FakeStore) -> None:
    assert warnings(plane_object(), store, "DELETE") == []


def test_nothing_is_said_before_the_cluster_was_read() -> None:
    store = FakeStore(planes=[make_plane()], is_synced=False)
    assert warnings(plane_object("alpha"), store) == []


def test_other_kinds_are_errors_of_the_configuration() -> None:
    review = parse(orjson.dumps(review_object(pod_object())))
    assert isinstance(validate_plane(review, FakeStore()), Errored)
