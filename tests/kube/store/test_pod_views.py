"""The pods that are kept, under our own writes and a watch that lags behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from planes.kube.store.pod_views import ClaimingPods, NodePods, PodView
from planes.model.errors import JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.model.objects import NadRef
from planes.model.state.claims import PodClaims

STATUS = '[{"name":"netplane-system/business","interface":"net1","ips":["10.9.0.7"]}]'


def pod(name: str = "web", uid: str = "u1", version: int = 1, **annotations: str) -> JsonObject:
    """Return the metadata of a pod; `status` and `networks` stand for those annotations."""
    keys = {"status": STATUS_ANNOTATION, "networks": NETWORKS_ANNOTATION}
    meta: dict[str, Any] = {
        "name": name,
        "namespace": "shop",
        "uid": uid,
        "resourceVersion": str(version),
        "annotations": {keys.get(key, key): text for key, text in annotations.items()},
    }
    return {"metadata": meta}


class Sink:
    """Keeps what each pod claims."""

    def __init__(self) -> None:
        self.claims: dict[str, PodClaims] = {}

    def __call__(self, key: str, claims: PodClaims | None) -> None:
        self.claims.pop(key, None)
        if claims:
            self.claims[key] = claims


def status_of(view: PodView, name: str = "web") -> str | None:
    seen = view.seen("shop", name)
    return None if seen is None else seen.pod.annotations.get(STATUS_ANNOTATION)


def listed(view: PodView, *pods: JsonObject) -> None:
    view.begin()
    for one in pods:
        view.put(one)
    view.finish()


def node_pods(sink: Sink) -> NodePods:
    return NodePods("node-a", sink)


BOTH = pytest.mark.parametrize("make", [node_pods, ClaimingPods])
Make = Callable[[Sink], PodView]


@BOTH
def test_claims_follow_the_annotations(make: Make) -> None:
    sink = Sink()
    view = make(sink)
    listed(view, pod())
    assert not sink.claims
    view.put(pod(version=2, status=STATUS))
    assert [each.addresses for each in sink.claims["shop/web"].usage.values()] == [1]
    view.put(pod(version=3))
    assert not sink.claims


@BOTH
def test_claims_go_with_the_pod(make: Make) -> None:
    sink = Sink()
    view = make(sink)
    listed(view, pod(status=STATUS))
    view.drop(pod(version=2, status=STATUS))
    assert (len(view), sink.claims) == (0, {})


def test_claims_of_a_node_s_pod_are_told_again_only_where_the_pod_has_changed() -> None:
    told: list[bool] = []
    view = NodePods("node-a", lambda _key, claims: told.append(bool(claims)))
    view.put(pod(status=STATUS))
    view.put(pod(version=2, status=STATUS))  # its containers run now, or it is being deleted
    assert told == [True]
    view.note(pod(version=3, status=STATUS))  # the same status, which is ours now
    view.put(pod(version=3, status=STATUS))
    assert told == [True, True]
    view.drop(pod(version=4, status=STATUS))
    view.put(pod(version=5, status=STATUS))
    assert told == [True, True, False, True]


@BOTH
def test_a_listing_drops_what_vanished(make: Make) -> None:
    sink = Sink()
    view = make(sink)
    listed(view, pod("a", status=STATUS), pod("b", networks="x"))
    listed(view, pod("b", networks="x"))
    assert (len(view), list(sink.claims)) == (1, ["shop/b"])


def test_pods_without_claims_cost_admission_nothing() -> None:
    view = ClaimingPods(Sink())
    listed(view, pod("a"), pod("b", networks="business"))
    assert len(view) == 1


def test_admission_knows_which_pods_ask_for_a_nad_until_they_go() -> None:
    own = NadRef("shop", "own")
    view = ClaimingPods(Sink())
    listed(view, pod("a", networks="own,ops/shared"), pod("b"), pod("c", networks="own"))
    assert sorted(view.naming(own)) == ["a", "c"]
    assert view.naming(NadRef("ops", "shared")) == (), "nobody's but its own namespace's count"
    leaving = pod("a", networks="own")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-21T08:00:00Z"
    view.put(leaving)
    view.drop(pod("c"))
    assert view.naming(own) == ()
    assert node_pods(Sink()).naming(own) == ()


def test_the_pods_of_a_node_know_their_node_and_whether_they_leave() -> None:
    view = node_pods(Sink())
    leaving = pod("old")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-21T08:00:00Z"
    listed(view, pod(), leaving)
    web, old = view.seen("shop", "web"), view.seen("shop", "old")
    assert web is not None
    assert old is not None
    assert (web.pod.node, web.is_leaving, old.is_leaving) == ("node-a", False, True)


def test_an_own_write_is_seen_at_once_and_claims() -> None:
    sink = Sink()
    view = node_pods(sink)
    listed(view, pod(version=1))
    view.note(pod(version=5, status=STATUS))
    assert status_of(view) == STATUS
    assert "shop/web" in sink.claims


def test_an_older_state_from_the_watch_does_not_hide_an_own_write() -> None:
    view = node_pods(Sink())
    listed(view, pod(version=1))
    view.note(pod(version=5, status=STATUS))
    view.put(pod(version=3))
    assert status_of(view) == STATUS


def test_a_newer_state_from_the_watch_replaces_an_own_write() -> None:
    view = node_pods(Sink())
    listed(view, pod(version=1))
    view.note(pod(version=5, status=STATUS))
    view.put(pod(version=6))
    view.put(pod(version=7))
    assert status_of(view) is None


def test_an_own_write_that_the_watch_has_told_already_changes_nothing() -> None:
    view = node_pods(Sink())
    listed(view, pod(version=6))
    view.note(pod(version=5, status=STATUS))
    assert status_of(view) is None


def test_an_own_write_survives_an_older_listing() -> None:
    view = node_pods(Sink())
    listed(view, pod(version=1))
    view.note(pod(version=5, status=STATUS))
    listed(view, pod(version=2))
    assert status_of(view) == STATUS


def test_an_own_write_to_a_pod_the_watch_has_not_shown_is_seen_with_the_pod() -> None:
    view = node_pods(Sink())
    listed(view, pod(uid="old", version=1))
    view.note(pod(uid="new", version=5, status=STATUS))
    assert status_of(view) is None
    view.drop(pod(uid="old", version=3))
    view.put(pod(uid="new", version=4))
    assert status_of(view) == STATUS


def test_an_own_write_is_not_shown_on_the_next_pod_of_that_name() -> None:
    view = node_pods(Sink())
    listed(view, pod(uid="old", version=1))
    view.note(pod(uid="old", version=5, status=STATUS))
    view.put(pod(uid="new", version=7))
    assert status_of(view) is None


def test_own_writes_to_pods_that_never_show_up_are_bounded() -> None:
    view = node_pods(Sink())
    for number in range(5000):
        view.note(pod(f"p{number}", version=number + 1, status=STATUS))
    view.put(pod("p4999", version=1))
    view.put(pod("p0", version=1, uid="u1"))
    assert (status_of(view, "p4999"), status_of(view, "p0")) == (STATUS, None)


def test_own_writes_do_not_outlive_a_listing_without_their_pod() -> None:
    view = node_pods(Sink())
    view.note(pod(version=5, status=STATUS))
    listed(view)
    view.put(pod(version=4))
    assert status_of(view) is None


def test_annotations_that_nothing_is_decided_by_are_not_kept() -> None:
    view = node_pods(Sink())
    listed(view, pod(a="b", networks="own"))
    seen = view.seen("shop", "web")
    assert seen is not None
    assert seen.pod.annotations == {NETWORKS_ANNOTATION: "own"}


def test_of_a_key_that_may_be_misspelt_the_name_is_kept_to_warn_of_it() -> None:
    view = node_pods(Sink())
    wrong = {"k8s.v1.cni.cncf.io/network": "x" * 4096, "netplane.io/static-ip": "y", "a/b": "z"}
    made = pod(networks="own")
    made["metadata"]["annotations"] |= wrong
    listed(view, made)
    seen = view.seen("shop", "web")
    assert seen is not None
    assert seen.pod.annotations == {
        NETWORKS_ANNOTATION: "own",
        "k8s.v1.cni.cncf.io/network": "",
        "netplane.io/static-ip": "",
    }
