"""Annotations whose key nobody reads are told with the key that may be meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.annotations.near_keys import AUTHORS_KEYS, check_keys, near_key
from planes.model.decide.decision import decide
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    INJECTED_ANNOTATION,
    NETWORKS_ANNOTATION,
    REVIEWED_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    STATUS_ANNOTATIONS,
)
from planes.model.objects import Pod
from tests.support.model import make_catalog, make_namespace, pod_object


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("k8s.v1.cni.cncf.io/network", NETWORKS_ANNOTATION),
        ("k8s.v1.cni.cncf.io/Networks", NETWORKS_ANNOTATION),
        ("K8s.v1.cni.cncf.io/networks", NETWORKS_ANNOTATION),
        ("k8s.v1.cncf.io/networks", NETWORKS_ANNOTATION),
        ("cni.cncf.io/networks", NETWORKS_ANNOTATION),
        ("netplane.io/networks", NETWORKS_ANNOTATION),
        ("netplane.io/static-ip", STATIC_IPS_ANNOTATION),
        ("netplane.io/staticIPs", STATIC_IPS_ANNOTATION),
        ("netplane.io/static_ips", STATIC_IPS_ANNOTATION),
        ("netplan.io/static-ips", STATIC_IPS_ANNOTATION),
        ("static-ips", STATIC_IPS_ANNOTATION),
        ("v1.multus-cni.io/default-networks", DEFAULT_NETWORK_ANNOTATION),
        ("k8s.v1.cni.cncf.io/default-network", DEFAULT_NETWORK_ANNOTATION),
    ],
)
def test_a_misspelt_key_has_its_near_one(key: str, near: str) -> None:
    assert near_key(key) == near
    (warning,) = check_keys({key: "x"}, {})
    assert warning.path == f"metadata.annotations[{key}]"
    assert near in warning.remedy


@pytest.mark.parametrize(
    "key",
    [
        *AUTHORS_KEYS,
        *STATUS_ANNOTATIONS,
        INJECTED_ANNOTATION,
        REVIEWED_ANNOTATION,
        "k8s.ovn.org/pod-networks",
        "k8s.ovn.org/network",
        "example.com/network",
        "cni.projectcalico.org/podIP",
        "networks",
        "kubernetes.io/config.source",
    ],
)
def test_keys_that_are_right_or_others_are_left_alone(key: str) -> None:
    assert check_keys({key: "x"}, {}) == []


def test_a_near_key_beside_the_right_one_is_no_typo() -> None:
    both = {NETWORKS_ANNOTATION: "a", "k8s.v1.cni.cncf.io/network": "a"}
    assert check_keys(both, {}) == []


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("plane.netplane.io/business", "label of the namespace"),
        ("k8s.v1.cni.cncf.io/resourceName", "nobody reads it here"),
        ("netplane.io/something", "nobody reads an annotation of this name"),
    ],
)
def test_a_key_that_belongs_elsewhere_is_told(key: str, says: str) -> None:
    (warning,) = check_keys({key: "x"}, {})
    assert says in warning.message


def test_the_annotation_written_as_a_label_is_told() -> None:
    (warning,) = check_keys({}, {NETWORKS_ANNOTATION: "mv", "app": "web"})
    assert warning.path == f"metadata.labels[{NETWORKS_ANNOTATION}]"
    assert "as an annotation" in warning.remedy


def test_a_namespace_s_label_on_a_pod_is_told() -> None:
    (warning,) = check_keys({}, {"plane.netplane.io/business": "enabled"})
    assert warning.path == "metadata.labels[plane.netplane.io/business]"
    assert "label of the namespace" in warning.message


def test_another_sign_for_the_slash_is_told() -> None:
    (warning,) = check_keys({"k8s.v1.cni.cncf.io.networks": "mv"}, {})
    assert warning.remedy == f"did you mean {NETWORKS_ANNOTATION}?"


def test_it_is_warned_about_at_creation_and_on_the_node() -> None:
    pod = Pod.from_object(pod_object(annotations={"netplane.io/static-ip": "x"}))
    for creating in (True, False):
        decision = decide(pod, make_namespace(), make_catalog(), creating=creating)
        assert [STATIC_IPS_ANNOTATION in each.remedy for each in decision.warnings] == [True]
        assert not decision.denied


@given(
    st.dictionaries(
        st.text(max_size=80)
        | st.just("netplane.io/").flatmap(
            lambda start: st.text(max_size=40).map(lambda end: start + end)
        ),
        st.text(),
        max_size=40,
    )
)
def test_any_keys_give_a_few_warnings_on_one_line_each(annotations: dict[str, str]) -> None:
    found = check_keys(annotations, annotations)
    assert len(found) <= 4
    assert all(str(each).isprintable() for each in found)
