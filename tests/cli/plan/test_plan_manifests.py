"""Manifests beside a plan are judged as if its planes were in force."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.errors import JsonObject
from planes.model.objects import Namespace
from planes.model.plan.manifest_review import MAX_PODS, PlanManifests, review_manifests
from planes.model.state.catalog import Catalog
from tests.support.command_line import netplane
from tests.support.plans import network


def workload(name: str, ips: str = "", replicas: int = 1) -> JsonObject:
    annotations = {"netplane.io/static-ips": json.dumps({"business": [ips]})} if ips else {}
    template = {"metadata": {"labels": {"a": "b"}, "annotations": annotations}, "spec": {}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": replicas, "template": template, "serviceName": name},
    }


def policy(labels: dict[str, str]) -> JsonObject:
    peer = {"namespaceSelector": {"matchLabels": labels}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"podSelector": {}, "egress": [{"to": [peer]}]},
    }


SHOP = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}


def checked(home: Path, *objects: JsonObject, **words: Any) -> Any:
    words = {"namespaces": ["shop"], "spec": {"staticIPs": {"allow": "Any"}}, **words}
    plan, beside = home / "plan.json", home / "beside.yaml"
    plan.write_text(json.dumps({"networks": {"business": network(**words)}}))
    beside.write_text("\n---\n".join(json.dumps(obj) for obj in objects))
    return netplane("plan", "check", str(plan), "-f", str(beside), "-o", "json").json


def test_an_application_whose_address_the_plan_allows_is_fine(tmp_path: Path) -> None:
    assert checked(tmp_path, workload("db", "10.9.0.9"))["ok"]


def test_a_plan_that_only_its_manifests_contradict_can_be_imported(tmp_path: Path) -> None:
    found = checked(tmp_path, workload("db", "10.8.0.9"))
    assert (found["ok"], found["importable"]) == (False, True)
    words = (str(tmp_path / "plan.json"), "-f", str(tmp_path / "beside.yaml"))
    told = netplane("plan", "check", *words)
    assert told.status == 1
    assert told.out.endswith(
        "the plan can be imported, but manifests beside it contradict it: 1 contradiction\n"
    )
    assert netplane("plan", "import", *words).status == 0


def test_a_plan_with_a_fault_of_its_own_cannot_be_imported(tmp_path: Path) -> None:
    found = checked(tmp_path, workload("db", "10.8.0.9"), gateway="10.1.0.1")
    assert (found["ok"], found["importable"]) == (False, False)


def test_an_address_of_an_application_outside_the_subnet_is_found(tmp_path: Path) -> None:
    (found,) = checked(tmp_path, workload("db", "10.8.0.9"))["contradictions"]
    assert found["path"].startswith("pods of shop/db ")
    assert "it is outside plane business" in found["message"]


def test_an_address_outside_the_ranges_is_found(tmp_path: Path) -> None:
    found = checked(tmp_path, workload("db", "10.9.0.9"), ranges=["10.9.0.100-10.9.0.200"])
    assert not found["ok"]


def test_an_address_of_two_applications_is_found(tmp_path: Path) -> None:
    found = checked(tmp_path, workload("a", "10.9.0.9"), workload("b", "10.9.0.9"))
    (only,) = found["contradictions"]
    assert only["path"].startswith("pods of shop/b ")


def test_fewer_addresses_than_replicas_are_found(tmp_path: Path) -> None:
    found = checked(tmp_path, workload("db", "10.9.0.9", replicas=2))
    assert not found["ok"]


def test_a_policy_that_selects_by_a_label_that_is_there_is_fine(tmp_path: Path) -> None:
    name = {"kubernetes.io/metadata.name": "shop"}
    assert checked(tmp_path, SHOP, policy(name))["warnings"] == []


def test_a_policy_that_means_a_namespace_by_another_label_is_a_contradiction(
    tmp_path: Path,
) -> None:
    (found,) = checked(tmp_path, SHOP, policy({"name": "shop"}))["contradictions"]
    assert found["path"] == "NetworkPolicy shop/p spec.egress[0].to[0].namespaceSelector"
    assert "kubernetes.io/metadata.name: shop" in found["remedy"]


def test_a_policy_that_selects_none_of_the_namespaces_is_a_warning(tmp_path: Path) -> None:
    """It may mean a namespace that is not in these files."""
    found = checked(tmp_path, SHOP, policy({"team": "x"}))
    assert found["ok"]
    assert len(found["warnings"]) == 1


def test_the_labels_of_the_plan_count_for_policies(tmp_path: Path) -> None:
    assert (
        checked(tmp_path, SHOP, policy({"plane.netplane.io/business": "enabled"}))["warnings"] == []
    )


@pytest.mark.parametrize("meta", [None, [], "x", {"name": 1, "namespace": []}])
def test_a_policy_of_any_metadata_is_judged(meta: Any) -> None:
    manifests = PlanManifests(
        policies=({**policy({"name": "shop"}), "metadata": meta},),
        namespaces={"shop": Namespace("shop")},
    )
    assert len(list(review_manifests(manifests, Catalog.build()))) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["from", "to", "namespaceSelector", "matchLabels", "name"]), inner
        )
    ),
    max_leaves=10,
)


@pytest.mark.timeout(300)
@given(JSON, JSON)
def test_a_policy_of_any_rules_is_judged(ingress: Any, egress: Any) -> None:
    obj = {**policy({}), "spec": {"ingress": ingress, "egress": egress}}
    manifests = PlanManifests(policies=(obj,), namespaces={"shop": Namespace("shop")})
    for _, finding in review_manifests(manifests, Catalog.build()):
        assert finding.remedy


def test_replicas_without_end_are_judged_by_the_first_ones() -> None:
    meta = {"namespace": "shop", "annotations": {}}
    pods = tuple({"metadata": {**meta, "name": f"p{n}"}, "spec": {}} for n in range(MAX_PODS * 2))
    assert list(review_manifests(PlanManifests(pods=pods), Catalog.build())) == []
