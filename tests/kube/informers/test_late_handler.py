"""A handler that is added late is told each object's states in the order of their versions."""

from __future__ import annotations

from planes.kube.informers.late_handler import LateHandler
from planes.model.errors import JsonObject
from tests.support.kube.view import View


def at(name: str, version: int, namespace: str = "shop") -> JsonObject:
    """Return a pod as of a version."""
    meta = {"name": name, "namespace": namespace, "resourceVersion": str(version)}
    return {"metadata": meta}


def test_what_the_watch_tells_during_the_list_is_not_taken_back_by_it() -> None:
    view = View()
    late = LateHandler(view)
    late.begin_list()
    late.put(at("new", 8))
    late.put(at("gone", 7))
    late.drop(at("gone", 9))
    late.drop(at("other", 9))
    for obj in (at("new", 5), at("gone", 7), at("other", 4), at("same", 3)):
        late.put_listed(obj)
    late.finish_list("7")
    assert view.objects == {"shop/new": "8", "shop/same": "3"}


def test_what_the_list_had_is_not_taken_back_by_the_watch() -> None:
    view = View()
    late = LateHandler(view)
    late.begin_list()
    late.put(at("early", 4))
    late.put_listed(at("web", 6))
    late.finish_list("8")
    late.put(at("web", 5))
    late.put(at("web", 6))
    late.put(at("removed", 6))
    late.drop(at("removed", 7))
    assert view.objects == {"shop/web": "6", "shop/early": "4"}
    late.drop(at("early", 7))
    late.put(at("web", 9))
    late.put(at("removed", 10))
    assert view.objects == {"shop/web": "9", "shop/removed": "10"}


def test_versions_that_are_no_numbers_hold_up_nothing() -> None:
    view = View()
    late = LateHandler(view)
    late.begin_list()
    late.put_listed(at("web", 6))
    late.finish_list("opaque")
    meta = {"name": "web", "namespace": "shop", "resourceVersion": "more"}
    late.put({"metadata": meta})
    assert view.objects == {"shop/web": "more"}


def test_a_list_that_broke_off_is_not_taken_back_by_the_watch() -> None:
    view = View()
    late = LateHandler(view)
    late.begin_list()
    late.put_listed(at("web", 6))
    late.drop(at("web", 7))
    late.put_listed(at("app", 6))
    late.begin_list()
    late.put(at("web", 4))
    late.put(at("app", 5))
    late.put(at("new", 8))
    assert view.calls == ["begin", "put web", "put app", "begin", "put new"]
    late.put_listed(at("app", 6))
    late.finish_list("9")
    assert view.objects == {"shop/app": "6", "shop/new": "8"}
