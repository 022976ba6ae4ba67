"""Reviews of NADs: verdicts and warnings when one is written, and who may delete one in use."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model.errors import JsonObject
from planes.model.names import DELETE_IN_USE_ANNOTATION
from planes.model.objects import Pod
from planes.model.spec.nad_policy import NadPolicy
from tests.support.model import make_plane, pod_object
from tests.support.store import FakeStore
from tests.support.webhook.admission import hooked, review_object
from webhook.nads import CLEANERS, CONTROLLER, validate_nad
from webhook.review import Allowed, Answer, Errored, Rejected, encode, parse

NADS = {"group": "k8s.cni.cncf.io", "version": "v1", "resource": "network-attachment-definitions"}
OWN = {"cniVersion": "1.0.0", "name": "own", "type": "bridge", "bridge": "br-own"}
REACHING = {**OWN, "isGateway": True, "mastr": "eth1"}
GUARDED = NadPolicy(is_guarded=True)


def nad_object(config: Any = OWN, namespace: str = "shop", **metadata: Any) -> JsonObject:
    text = config if isinstance(config, str) else orjson.dumps(config).decode()
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "own", "namespace": namespace, **metadata},
        "spec": {"config": text},
    }


def review(obj: JsonObject | None, old: JsonObject | None = None, **more: Any) -> JsonObject:
    operation = "DELETE" if obj is None else "UPDATE" if old else "CREATE"
    return review_object(obj, old=old, **{"operation": operation, "resource": NADS, **more})


def answer(
    obj: JsonObject | None,
    old: JsonObject | None = None,
    store: FakeStore | None = None,
    **more: Any,
) -> Answer:
    parsed = parse(orjson.dumps(review(obj, old, **more)))
    given = validate_nad(parsed, store or FakeStore(nad_policy=GUARDED))
    dry = parse(orjson.dumps(review(obj, old, **more, dryRun=True)))
    again = validate_nad(dry, store or FakeStore(nad_policy=GUARDED))
    assert encode(parsed, given) == encode(parsed, again), "a dry run is alike"
    return given


def using(*names: str, namespace: str = "shop", networks: str = "shop/own") -> FakeStore:
    """Return a store with pods that name the NAD."""
    pods = (pod_object(name, namespace=namespace, networks=networks) for name in names)
    return FakeStore(pods=map(Pod.from_object, pods), nad_policy=GUARDED)


async def test_a_nad_is_refused_over_http_with_everything_at_once() -> None:
    async with hooked(FakeStore(nad_policy=GUARDED)) as hook:
        path = "/validate/networkattachmentdefinitions"
        reply = await hook.ask(path, review(nad_object(REACHING)))
    assert reply.status == 200
    assert reply.response["allowed"] is False
    status = reply.response["status"]
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    assert status["details"]["kind"] == "NetworkAttachmentDefinition"
    fields = [cause["field"] for cause in status["details"]["causes"]]
    assert fields == ["spec.config.isGateway", "spec.config.mastr"]


def test_what_is_no_config_is_malformed_and_not_forbidden() -> None:
    found = answer(nad_object("{"))
    assert isinstance(found, Rejected)
    assert {each.status for each in found.findings} == {422}


def test_an_object_that_holds_no_text_is_malformed() -> None:
    obj = nad_object()
    obj["spec"]["config"] = {"type": "bridge"}
    found = answer(obj)
    assert isinstance(found, Errored)
    assert found.error.status == 422


def test_open_admits_with_warnings_that_a_client_shows_whole() -> None:
    ranges = [[{"subnet": "10.0.0.0/8", "gatway": "10.0.0.1"}]]
    config = {**REACHING, "ipam": {"type": "host-local", "dataDir": "/etc", "ranges": ranges}}
    found = answer(nad_object(config), store=FakeStore())
    assert isinstance(found, Allowed)
    assert len(found.warnings) >= 4
    assert all(len(text) <= 120 for text in found.warnings)


def test_a_good_nad_is_admitted_without_a_word() -> None:
    assert answer(nad_object()) == Allowed([], {"decision": "allowed"})


def test_a_nad_whose_name_is_made_later_is_judged_now() -> None:
    obj = nad_object()
    obj["metadata"] = {"generateName": "own-", "namespace": "shop"}
    assert isinstance(answer(obj, name=""), Allowed)
    obj["spec"]["config"] = orjson.dumps(REACHING).decode()
    assert isinstance(answer(obj, name=""), Rejected)


def test_a_nad_from_before_can_be_labelled_and_owned() -> None:
    old = nad_object(REACHING)
    new = nad_object(REACHING, labels={"a": "b"}, finalizers=["x/y"])
    assert isinstance(answer(new, old), Allowed)


def test_a_nad_that_is_going_cannot_become_what_it_could_not_be_made() -> None:
    """A finalizer keeps it, and pods may use it meanwhile."""
    going: dict[str, Any] = {"deletionTimestamp": "2030-01-01T00:00:00Z", "finalizers": ["x/y"]}
    assert isinstance(answer(nad_object(REACHING, **going), nad_object(**going)), Rejected)


def test_a_changed_config_is_warned_about_while_pods_have_the_old_one() -> None:
    new = nad_object({**OWN, "mtu": 1400})
    found = answer(new, nad_object(), using("web-0", "web-1"))
    assert isinstance(found, Allowed)
    (warning,) = found.warnings
    assert warning == "attached as it was, until created anew: 2 pods (web-0, web-1)"
    assert answer(nad_object(labels={"a": "b"}), nad_object(), using("web-0")) == Allowed(
        [], {"decision": "allowed"}
    )


def test_a_nad_that_pods_of_its_namespace_name_is_not_deleted() -> None:
    found = answer(None, nad_object(), using(*(f"web-{n}" for n in range(5))))
    assert isinstance(found, Rejected)
    (finding,) = found.findings
    assert finding.status == 409
    assert "in use by 5 pods (web-0, web-1, web-2 and 2 more)" in finding.message


def test_who_says_so_deletes_it_all_the_same() -> None:
    old = nad_object(annotations={DELETE_IN_USE_ANNOTATION: "true"})
    found = answer(None, old, using("web-0"))
    assert isinstance(found, Allowed)
    assert found.warnings == ["it is in use by pod web-0"]


@pytest.mark.parametrize("user", sorted(CLEANERS))
def test_what_cleans_up_is_never_held(user: str) -> None:
    found = answer(None, nad_object(), using("web-0"), userInfo={"username": user})
    assert isinstance(found, Allowed)
    unread = FakeStore(is_synced=False)
    assert isinstance(answer(None, nad_object(), unread, userInfo={"username": user}), Allowed)


def test_pods_that_have_ended_hold_nothing() -> None:
    pod = {**pod_object(networks="own"), "status": {"phase": "Succeeded"}}
    store = FakeStore(pods=[Pod.from_object(pod)], nad_policy=GUARDED)
    assert isinstance(answer(None, nad_object(), store), Allowed)


def test_the_nad_that_a_plane_refers_to_is_not_deleted_by_mistake() -> None:
    network = {"nadRef": {"namespace": "shop", "name": "own"}}
    plane = make_plane(network=network, ipam={"mode": "NAD"})
    store = FakeStore(planes=[plane], nad_policy=GUARDED)
    found = answer(None, nad_object(), store)
    assert isinstance(found, Rejected)
    assert "plane business stands on it" in found.findings[0].message


def test_a_rendered_nad_is_made_again_and_said_so() -> None:
    store = FakeStore(planes=[make_plane()], nad_policy=GUARDED)
    old = nad_object(namespace="netplane-system", name="business")
    deleted = answer(None, old, store)
    assert isinstance(deleted, Allowed)
    assert "will be made again" in deleted.warnings[0]
    edited = answer(nad_object(namespace="netplane-system", name="business"), old, store)
    assert isinstance(edited, Allowed)
    assert "what you change is undone" in edited.warnings[0]


def test_what_the_controller_renders_is_not_judged() -> None:
    obj = nad_object("{", "netplane-system", name="business")
    found = answer(obj, userInfo={"username": CONTROLLER})
    assert found == Allowed(audit={"decision": "exempt: the controller's own"})
    elsewhere = answer(nad_object("{"), userInfo={"username": CONTROLLER})
    assert isinstance(elsewhere, Rejected)


def test_before_planes_are_known_nothing_is_decided() -> None:
    found = answer(nad_object(), store=FakeStore(is_synced=False))
    assert isinstance(found, Errored)
    assert found.error.status == 503


def test_rules_that_send_something_else_are_told_apart() -> None:
    found = answer(nad_object(), resource={"group": "", "resource": "pods"})
    assert isinstance(found, Errored)
    assert "this path is for network-attachment-definitions" in str(found.error)


@pytest.mark.parametrize("more", [{"subResource": "status"}, {"operation": "CONNECT"}])
def test_other_operations_pass(more: dict[str, Any]) -> None:
    assert isinstance(answer(nad_object("{"), **more), Allowed)


@pytest.mark.parametrize("obj", [{}, {"metadata": []}, {"metadata": {}}, {"metadata": {"name": 5}}])
def test_an_object_of_no_shape_is_answered(obj: JsonObject) -> None:
    parsed = parse(orjson.dumps(review_object(None, resource=NADS, object=obj or None)))
    assert encode(parsed, validate_nad(parsed, FakeStore()))
