"""Properties of the decision on any annotation."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson
from hypothesis import given
from hypothesis import strategies as st

from planes.model.annotations.selection import read_selections
from planes.model.decide.decision import decide
from planes.model.errors import JsonObject
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    INJECTED_ANNOTATION,
    NETWORKS_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    STATUS_ANNOTATION,
)
from planes.model.objects import Pod
from planes.model.patch import annotation_patch
from tests.support.model import (
    admit,
    make_catalog,
    make_nad,
    make_namespace,
    make_plane,
    pod_object,
)

PLANES = (
    make_plane(interface="biz0"),
    make_plane("storage", subnets=[{"cidr": "172.16.0.0/16", "gateway": "172.16.0.1"}]),
    make_plane("backup", order=-1, defaultRoute=True),
)
CATALOG = make_catalog(*PLANES, nads=[make_nad("own"), make_nad("far", "ops")])
NAMESPACE = make_namespace(business="enabled", storage="required", backup="enabled")

KEYS = st.sampled_from(
    ["name", "namespace", "ips", "mac", "interface", "cni-args", "default-route", "Name", "odd"]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["own", "business", "netplane-system", "192.168.100.7", "192.168.100.8/16"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=5)
    ),
    max_leaves=12,
)
ELEMENTS: st.SearchStrategy[JsonObject] = st.sampled_from(
    [
        {"name": "own"},
        {"name": "own", "interface": "eth5", "cni-args": {"big": 2**70, "deep": [[{}]]}},
        {"name": "far", "namespace": "ops", "mac": "02:00:00:00:00:01"},
        {"NAME": "own", "ips": ["10.9.0.7/24"], "unknown": 1},
        {"name": "business", "namespace": "netplane-system"},
        {"name": "storage", "namespace": "netplane-system", "ips": ["172.16.3.4"]},
        {"name": "business", "namespace": "netplane-system", "ips": None, "interface": "net4"},
    ]
)
ITEMS = st.sampled_from(["own", "ops/far", "own@eth7", "netplane-system/business", " own "])
LISTS = st.sampled_from(
    [
        None,
        {"business": ["192.168.100.7"]},
        {"business": ["192.168.100.0/28"], "storage": "172.16.9.9"},
    ]
)


def text_of(elements: list[JsonObject]) -> str:
    # orjson does not write integers beyond 64 bits
    return json.dumps(elements)


def text_or_json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return str(value)


NETWORKS = (
    st.none()
    | st.lists(ELEMENTS, max_size=5).map(text_of)
    | st.lists(ITEMS, max_size=5).map(",".join)
)
HOSTILE = st.text() | JSON.map(text_or_json) | NETWORKS


@given(networks=NETWORKS, static=LISTS)
def test_applying_the_patch_and_deciding_again_gives_no_patch(
    networks: str | None, static: JsonObject | None
) -> None:
    _, once = admit(pod_object(networks=networks, static=static), NAMESPACE, CATALOG)
    decision, twice = admit(once, NAMESPACE, CATALOG)
    assert twice == once
    assert not decision.annotations


@given(networks=NETWORKS)
def test_the_users_elements_keep_order_and_content(networks: str | None) -> None:
    before = read_selections(networks or "", "shop").selections
    _, pod = admit(pod_object(networks=networks), NAMESPACE, CATALOG)
    text = pod["metadata"].get("annotations", {}).get(NETWORKS_ANNOTATION, "")
    after = read_selections(text, "shop").selections
    kept = after[: len(before)]
    if before and before[0].raw is None:
        # a comma list that became JSON: the same elements, now with a JSON form
        kept = tuple(replace(selection, raw=None) for selection in kept)
    assert kept == before


@given(networks=NETWORKS, static=LISTS)
def test_the_same_input_gives_the_same_bytes(
    networks: str | None, static: JsonObject | None
) -> None:
    pod = pod_object(networks=networks, static=static)
    assert admit(pod, NAMESPACE, CATALOG) == admit(pod, NAMESPACE, CATALOG)


@given(
    annotations=st.dictionaries(
        st.sampled_from(
            [
                NETWORKS_ANNOTATION,
                STATIC_IPS_ANNOTATION,
                INJECTED_ANNOTATION,
                STATUS_ANNOTATION,
                DEFAULT_NETWORK_ANNOTATION,
            ]
        ),
        HOSTILE.filter(lambda text: text is not None),
    )
)
def test_any_annotation_gives_a_decision(annotations: dict[str, str]) -> None:
    pod = pod_object(annotations=annotations)
    decision = decide(Pod.from_object(pod), NAMESPACE, make_catalog(*PLANES, pods=[pod]))
    assert all(error.message.startswith("cannot ") for error in decision.errors)


@given(networks=NETWORKS, static=LISTS)
def test_a_pod_that_was_admitted_stays_admitted(
    networks: str | None, static: JsonObject | None
) -> None:
    first, pod = admit(pod_object(networks=networks, static=static), NAMESPACE, CATALOG)
    catalog = make_catalog(
        *PLANES, nads=[make_nad("own"), make_nad("far", "ops")], pods=[pod, pod_object("other")]
    )
    again = decide(Pod.from_object(pod), NAMESPACE, catalog)
    assert again.denied == first.denied
    if not first.denied:
        assert [each.interface for each in again.attachments] == [
            each.interface for each in first.attachments
        ]
        assert not again.annotations


@given(networks=NETWORKS, static=LISTS)
def test_the_patch_touches_only_our_annotations(
    networks: str | None, static: JsonObject | None
) -> None:
    pod = pod_object(networks=networks, static=static, annotations={"other/key": "x"})
    decision = decide(Pod.from_object(pod), NAMESPACE, CATALOG)
    paths = {operation["path"] for operation in annotation_patch(pod, decision.annotations)}
    assert paths <= {
        "/metadata/annotations/k8s.v1.cni.cncf.io~1networks",
        "/metadata/annotations/netplane.io~1injected",
    }
