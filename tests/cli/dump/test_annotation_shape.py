"""Of an annotation of networks a dump has what elements and status have members for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.dump.annotation_shape import networks
from planes.cli.dump.shapes import of_pod
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    NETWORKS_ANNOTATION,
    OLD_STATUS_ANNOTATION,
    STATUS_ANNOTATION,
)

SECRET = "Zq7-hunter2.Zq7"


def test_what_an_element_has_members_for_stays() -> None:
    element = {
        "name": "blue",
        "namespace": "shop",
        "interface": "net1",
        "ips": ["10.0.0.5/24"],
        "mac": "02:00:00:00:00:05",
        "default-route": ["10.0.0.1"],
        "portMappings": [{"hostPort": 80, "containerPort": 8080, "protocol": "tcp"}],
        "bandwidth": {"ingressRate": 1000},
    }
    assert json.loads(networks(json.dumps([element]))) == [element]


def test_what_a_status_has_members_for_stays() -> None:
    status = {
        "name": "shop/blue",
        "interface": "net1",
        "ips": ["10.0.0.5"],
        "mac": "02:00:00:00:00:05",
        "mtu": 1500,
        "default": True,
        "gateway": ["10.0.0.1"],
        "dns": {"nameservers": ["10.0.0.1"]},
        "device-info": {"type": "pci", "version": "1.1.0", "pci": {"pci-address": "0000:3b:00.1"}},
    }
    assert json.loads(networks(json.dumps([status]))) == [status]


def test_a_list_of_names_stays() -> None:
    assert networks("blue, shop/red@net2") == "blue, shop/red@net2"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"name": "blue", "cni-args": {"x": SECRET}}]),
        json.dumps([{"name": "blue", "CNI-Args": {"x": SECRET, "type": "bridge"}}]),
        json.dumps({"name": "blue", "cni-args": {"x": SECRET}}),
        json.dumps([[{"name": "blue", "cni-args": {"x": SECRET}}], SECRET]),
        json.dumps([{"name": "blue", "more": {"cni-args": {"x": SECRET}}}]),
        json.dumps([{"name": "blue", "bandwidth": {"x": SECRET}}]),
        json.dumps([{"name": "blue", "portMappings": [{"x": {"hostPort": SECRET}}]}]),
        json.dumps([{"name": "blue", SECRET.replace(".", " "): 1}]),
        "\ufeff" + json.dumps([{"name": "blue", "cni-args": {"x": SECRET}}]),
        "blue, " + json.dumps([{"cni-args": {"x": SECRET}}]),
        json.dumps([{"name": "blue", "cni-args": {"x": SECRET}}])[:-1],
        json.dumps(SECRET),
        "[" * 5000 + json.dumps(SECRET) + "]" * 5000,
    ],
)
@pytest.mark.parametrize(
    "key",
    [
        NETWORKS_ANNOTATION,
        DEFAULT_NETWORK_ANNOTATION,
        STATUS_ANNOTATION,
        OLD_STATUS_ANNOTATION,
    ],
)
def test_what_is_no_member_of_an_element_is_not_in_a_dump(key: str, text: str) -> None:
    found = of_pod({"metadata": {"name": "web", "annotations": {key: text}}})
    assert found is not None
    assert SECRET not in json.dumps(found)
    assert "hunter2" not in json.dumps(found)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["cni-args", "CNI-ARGS", "x"]))
def test_no_value_below_an_unknown_member_is_in_a_dump(value: Any, name: str) -> None:
    text = networks(json.dumps([{"name": "blue", name: value}]))
    assert SECRET not in text
    assert json.loads(text)[0]["name"] == "blue"
