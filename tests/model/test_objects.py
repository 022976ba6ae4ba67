"""Pods, namespaces and NADs as they are read, right and wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from planes.model.errors import BadInput
from planes.model.mac import format_mac, parse_mac, why_unusable
from planes.model.objects import Nad, Namespace, Pod
from tests.support.model import pod_object, replica


def test_a_pod_takes_the_reviews_namespace_where_it_has_none() -> None:
    pod = Pod.from_object({"metadata": {"generateName": "web-"}}, "shop")
    assert (pod.namespace, pod.display) == ("shop", "shop/web-*")


def test_the_name_suffix_is_an_ordinal_only_under_a_stateful_set() -> None:
    assert Pod.from_object(replica("web", 12)).ordinal == 12
    assert Pod.from_object(pod_object("web-12")).ordinal is None


@pytest.mark.parametrize("label", ["-1", "01", "x", "", "1 "])
def test_an_index_that_is_no_number_is_ignored(label: str) -> None:
    pod = pod_object("odd", labels={"apps.kubernetes.io/pod-index": label})
    assert Pod.from_object(pod).ordinal is None


def test_a_mirror_pod_is_static() -> None:
    assert Pod.from_object(
        pod_object(annotations={"kubernetes.io/config.source": "file"})
    ).is_static
    assert not Pod.from_object(pod_object()).is_static


def test_a_namespace_always_has_its_name_label() -> None:
    namespace = Namespace.from_object({"metadata": {"name": "shop"}})
    assert namespace.labels["kubernetes.io/metadata.name"] == "shop"


def test_a_nad_without_config_means_a_file_on_the_node() -> None:
    assert Nad.from_object({"metadata": {"name": "a"}}, "shop").config == ""


@pytest.mark.parametrize(
    ("read", "obj", "path"),
    [
        (Pod.from_object, {"metadata": 7}, "metadata"),
        (Pod.from_object, {"metadata": {"name": 7}}, "metadata.name"),
        (Pod.from_object, {"metadata": {"annotations": {"a": 1}}}, "metadata.annotations[a]"),
        (Pod.from_object, {"metadata": {"ownerReferences": {}}}, "metadata.ownerReferences"),
        (Pod.from_object, {"spec": []}, "spec"),
        (Namespace.from_object, {}, "metadata.name"),
        (Nad.from_object, {"metadata": {"name": "a"}, "spec": {"config": {}}}, "spec.config"),
    ],
)
def test_a_wrong_type_is_told_with_its_path(
    read: Callable[[Any], object], obj: dict[str, Any], path: str
) -> None:
    with pytest.raises(BadInput) as caught:
        read(obj)
    assert f"cannot read {path}:" in caught.value.message


@pytest.mark.parametrize("text", ["02:00:00:00:00:11", "02-00-00-00-00-11", "0200.0000.0011"])
def test_a_mac_has_three_spellings(text: str) -> None:
    assert format_mac(parse_mac(text)) == "02:00:00:00:00:11"


@pytest.mark.parametrize("text", ["", "02:00", "02:00:00:00:00:gg", "02:00-00:00:00:11", "0" * 100])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="hardware address"):
        parse_mac(text)


def test_an_interface_cannot_have_a_multicast_or_zero_mac() -> None:
    assert why_unusable(parse_mac("00:00:00:00:00:00")) == "it is all zeros"
    assert why_unusable(parse_mac("01:00:00:00:00:01")) == "it is a multicast address"
    assert why_unusable(parse_mac("02:00:00:00:00:01")) == ""
    assert why_unusable(bytes(8)) == ""
