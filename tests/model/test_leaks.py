"""Suggestions name nothing that a namespace may not use; findings say which plane is concerned."""

from __future__ import annotations

import pytest

from planes.model.decide.decision import decide
from planes.model.errors import Finding, paired
from planes.model.objects import Namespace, Pod
from tests.support.model import (
    make_catalog,
    make_nad,
    make_namespace,
    make_plane,
    pod_object,
)

PLANE = make_plane()


def remedy_of(namespace: Namespace, *, networks: str | None = None, **more: object) -> str:
    catalog = make_catalog(PLANE, nads=[make_nad("far", "ops")], namespace_isolation=bool(more))
    pod = Pod.from_object(pod_object(networks=networks))
    (error,) = decide(pod, namespace, catalog).errors
    return error.remedy


@pytest.mark.parametrize("written", ["business", "busines", "netplane-system/busines"])
def test_a_plane_that_the_namespace_has_not_joined_is_not_suggested(written: str) -> None:
    assert "netplane-system/business" not in remedy_of(make_namespace(), networks=written)
    assert "netplane-system/business" in remedy_of(
        make_namespace(business="enabled"), networks=written
    )


def test_a_nad_beyond_isolation_is_not_suggested() -> None:
    assert "ops/far" in remedy_of(make_namespace(), networks="far")
    assert "ops/far" not in remedy_of(make_namespace(), networks="far", isolated=True)


def test_a_plane_is_not_suggested_for_static_addresses_either() -> None:
    pod = Pod.from_object(pod_object(static={"busines": ["192.168.100.7"]}))
    (error,) = decide(pod, make_namespace(), make_catalog(PLANE)).errors
    assert "business" not in error.remedy
    (error,) = decide(pod, make_namespace(business="enabled"), make_catalog(PLANE)).errors
    assert error.remedy == "did you mean business?"


def test_findings_say_which_plane_they_are_about() -> None:
    catalog, joined = make_catalog(PLANE), make_namespace(business="enabled")
    about = {
        "nowhere": "",
        "netplane-system/business": "business",
    }
    for networks, plane in about.items():
        (error,) = decide(
            Pod.from_object(pod_object(networks=networks)), make_namespace(), catalog
        ).errors
        assert error.plane == plane
    outside = Pod.from_object(pod_object(static={"business": ["10.0.0.1"]}))
    assert [each.plane for each in decide(outside, joined, catalog).errors] == ["business"]


def test_findings_and_remedies_are_paired_by_number() -> None:
    one, two, three = (
        Finding("a", "cannot a", "do a"),
        Finding("", "cannot b"),
        Finding("c", "cannot c", "do a"),
    )
    assert paired([one]) == ("a: cannot a", "do a")
    assert paired([one, two, three]) == (
        "(1) a: cannot a (2) cannot b (3) c: cannot c",
        "(1) (3) do a",
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"type": "macvlen", "master": "eth9"}, "did you mean macvlan?"),
        ({"type": "macvlan", "mastr": "eth9"}, "did you mean master?"),
        ({"type": "bridge", "ipam": {"type": "host-locl"}}, "did you mean host-local?"),
    ],
)
def test_a_typo_in_a_nad_is_told_to_the_pod_that_uses_it(
    config: dict[str, object], says: str
) -> None:
    catalog = make_catalog(nads=[make_nad("own", config={"cniVersion": "1.0.0", **config})])
    decision = decide(Pod.from_object(pod_object(networks="own")), make_namespace(), catalog)
    assert not decision.denied
    (warning,) = [each for each in decision.warnings if each.remedy == says]
    assert warning.path.startswith("NAD shop/own spec.config.")


def test_a_plugin_of_somebody_s_own_is_no_typo() -> None:
    own = make_nad("own", config={"cniVersion": "1.0.0", "type": "acme-fabric", "port": 1})
    decision = decide(
        Pod.from_object(pod_object(networks="own")), make_namespace(), make_catalog(nads=[own])
    )
    assert decision.warnings == ()
