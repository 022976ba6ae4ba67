"""A tenant's pod names a workload as its owner: it gets no address kept for that workload."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from planes.model.decide.decision import decide
from planes.model.errors import JsonObject
from planes.model.objects import Pod
from planes.model.owners import form_doubt, maker_doubt
from tests.attacks.owners import (
    JOINED,
    MASTER,
    STATEFUL,
    addresses,
    cluster,
    owner,
    pod,
    pod_object,
)
from tests.support.planes import make_plane
from tests.support.store import FakeStore
from tests.support.webhook.admission import review_object
from webhook.mutate import mutate
from webhook.review import Allowed, Patched, Rejected, parse
from webhook.validate import validate


def reviewed(obj: JsonObject, user: str, **more: Any) -> JsonObject:
    return review_object(obj, userInfo={"username": user}, **more)


def patched(obj: JsonObject, user: str, store: FakeStore | None = None) -> str:
    """Return what /mutate writes into a pod, as text."""
    answer = mutate(parse(orjson.dumps(reviewed(obj, user))), store or cluster())
    assert isinstance(answer, Patched)
    return orjson.dumps(answer.patch).decode()


def test_tenant_who_creates_a_pod_of_a_stateful_set_gets_no_reserved_address() -> None:
    """With the right name, the right UID and every label."""
    obj = pod_object("db-0", owner(), labels={"apps.kubernetes.io/pod-index": "0"})
    assert "10.9.0.10" not in patched(obj, "alice")
    assert "10.9.0.10" in patched(obj, STATEFUL)
    assert "10.9.0.10" in patched(obj, "system:kube-controller-manager")


def test_tenant_who_asks_for_it_is_refused_and_told_why() -> None:
    obj = pod_object("db-0", owner(), ask="10.9.0.10")
    answer = validate(parse(orjson.dumps(reviewed(obj, "alice"))), cluster())
    assert isinstance(answer, Rejected)
    (finding,) = answer.findings
    assert finding.status == 403
    assert "not created by the controller of StatefulSet db" in finding.message
    answer = validate(parse(orjson.dumps(reviewed(obj, STATEFUL))), cluster())
    assert isinstance(answer, Allowed)


@pytest.mark.parametrize(
    "user",
    [
        "",
        "system:serviceaccount:shop:statefulset-controller",
        f"{MASTER}replicaset-controller",
        f"{MASTER}statefulset-controllerx",
        "system:serviceaccount:kube-system:",
    ],
)
def test_tenant_with_a_name_like_a_controller_s_is_no_controller(user: str) -> None:
    assert maker_doubt(pod("db-0", owner()), user)
    assert not maker_doubt(pod("db-0", owner()), STATEFUL)


def test_tenant_s_label_moves_no_replica_to_another_number() -> None:
    forged = pod("db-1", owner(), labels={"apps.kubernetes.io/pod-index": "0"})
    assert forged.ordinal == 1
    assert not form_doubt(forged)


@pytest.mark.parametrize(
    ("forged", "doubt"),
    [
        (pod("x", labels={"apps.kubernetes.io/pod-index": "1"}), "no controller"),
        (pod("x", owner()), "names no pod so"),
        (pod("other-0", owner()), "names no pod so"),
        (pod("db-00", owner()), "names no pod so"),
        (pod("db-0", {**owner(), "apiVersion": "evil.io/v1"}), "controller is a StatefulSet"),
        (pod("db-0", {**owner(), "apiVersion": ""}), "controller is a StatefulSet"),
        (pod("db-0", {**owner(), "kind": "Database"}), "controller is a Database"),
        (pod("db-0", {**owner(), "uid": ""}), "names no UID"),
        (pod("db-0", {**owner(), "controller": False}), "no controller"),
        (
            pod("w-x", owner("ReplicaSet", "w"), labels={"apps.kubernetes.io/pod-index": "1"}),
            "have no number",
        ),
        (
            pod(
                "j-1-x",
                owner("Job", "j"),
                annotations={"batch.kubernetes.io/job-completion-index": "0"},
            ),
            "names no pod of index 0 so",
        ),
    ],
)
def test_tenant_s_pod_that_no_workload_names_so_is_doubted(forged: Pod, doubt: str) -> None:
    assert doubt in form_doubt(forged)
    catalog = cluster().catalog
    decision = decide(replace(forged, owner_doubt=form_doubt(forged)), JOINED, catalog)
    assert addresses(decision) == []


@pytest.mark.parametrize(
    ("real", "user"),
    [
        (pod("db-0", owner()), STATEFUL),
        (pod("w-x", owner("ReplicaSet", "w")), f"{MASTER}replicaset-controller"),
        (pod("d-x", owner("DaemonSet", "d")), f"{MASTER}daemon-set-controller"),
        (
            pod(
                "",
                owner("Job", "j"),
                generateName="j-3-",
                annotations={"batch.kubernetes.io/job-completion-index": "3"},
            ),
            f"{MASTER}job-controller",
        ),
    ],
)
def test_a_pod_that_its_controller_creates_is_not_doubted(real: Pod, user: str) -> None:
    assert maker_doubt(real, user) == ""


def test_a_doubted_pod_keeps_what_is_reserved_by_its_own_name() -> None:
    doubted = replace(pod("named"), owner_doubt="it is doubted")
    assert addresses(decide(doubted, JOINED, cluster().catalog)) == ["10.9.0.13/24"]


def test_on_a_single_machine_the_administrator_s_pods_are_believed() -> None:
    store = cluster()
    store.checks_owners = False
    assert "10.9.0.10" in patched(pod_object("db-0", owner()), "anybody", store)


@pytest.mark.parametrize(
    ("before", "after", "user", "is_allowed"),
    [
        ([], [owner()], "alice", False),
        ([owner()], [owner(uid="other")], "alice", False),
        ([], [owner()], STATEFUL, True),
        ([owner()], [], "alice", True),
        ([owner()], [owner()], "alice", True),
    ],
)
def test_tenant_does_not_make_a_pod_one_of_a_workload_later(
    before: list[JsonObject], after: list[JsonObject], user: str, is_allowed: bool
) -> None:
    old, new = pod_object("db-0", *before), pod_object("db-0", *after)
    review = parse(orjson.dumps(reviewed(new, user, operation="UPDATE", old=old)))
    answer = validate(review, cluster())
    assert isinstance(answer, Allowed if is_allowed else Rejected)
    elsewhere = FakeStore(planes=[make_plane()], namespaces=[JOINED])
    elsewhere.checks_owners = True
    assert isinstance(validate(review, elsewhere), Allowed)
