"""Files of manifests: what is read, what is passed over, which errors name file and line."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from planes.model.errors import JsonObject
from planes.model.objects import Nad, Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.store.manifests import BrokenFileError, read_manifests
from tests.support.planes import plane_object

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u1"},
    "spec": {},
}
NAD = {
    "apiVersion": "k8s.cni.cncf.io/v1",
    "kind": "NetworkAttachmentDefinition",
    "metadata": {"name": "storage"},
    "spec": {"config": '{"cniVersion":"1.0.0","type":"macvlan"}'},
}


def taken(*objects: JsonObject, name: str = "m.yaml") -> Any:
    text = "\n---\n".join(json.dumps(obj) for obj in objects)
    return read_manifests(text.encode(), name)


def test_every_kind_of_ours_is_read() -> None:
    content = taken(plane_object(), NAMESPACE, POD, NAD)
    assert [type(m.value) for m in content.manifests] == [Plane, Namespace, Pod, Nad]
    assert content.faults == ()


def test_a_list_is_its_items_with_their_own_lines() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n"
        "- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n"
        "- apiVersion: v1\n  kind: Namespace\n  metadata: {name: b}\n"
    )
    content = read_manifests(text.encode(), "m.yaml")
    assert [m.where for m in content.manifests] == ["m.yaml:4", "m.yaml:7"]


def test_items_of_a_typed_list_need_not_repeat_their_kind() -> None:
    """`kubectl get pods -o json` writes a List, client libraries a PodList."""
    pods = {"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "web"}}]}
    content = taken(pods, name="m.json")
    assert [str(m.identity) for m in content.manifests] == ["Pod default/web"]


def test_what_has_no_namespace_is_in_default() -> None:
    assert str(taken(NAD).manifests[0].identity) == "NetworkAttachmentDefinition default/storage"


def test_other_kinds_and_empty_documents_are_passed_over() -> None:
    content = read_manifests(
        b"---\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\n# end\n", "m"
    )
    assert content.manifests == ()
    assert content.faults == ()


@pytest.mark.parametrize(
    ("obj", "reason"),
    [
        ({"kind": "Plane"}, "no apiVersion and kind"),
        ({"apiVersion": "v1", "kind": 3}, "no apiVersion and kind"),
        ([1], "is no object"),
        ({"apiVersion": "netplane.io/v1", "kind": "Plane"}, "use apiVersion netplane.io/v1alpha1"),
        ({"apiVersion": "netplane.io/v1alpha1", "kind": "Plan"}, "kind Plan of .* is not known"),
        ({**NAMESPACE, "metadata": {}}, "no usable metadata.name"),
        ({**NAMESPACE, "metadata": {"name": "A B"}}, "no usable metadata.name"),
        ({**NAMESPACE, "metadata": 3}, "no usable metadata.name"),
        ({**POD, "spec": 3}, "spec: it is not an object"),
        (plane_object(bananas=1), "bananas"),
    ],
)
def test_a_bad_object_is_named_and_its_neighbours_are_read(obj: Any, reason: str) -> None:
    content = taken(NAMESPACE, obj)
    assert [type(m.value) for m in content.manifests] == [Namespace]
    (fault,) = content.faults
    assert fault.problem.where == "m.yaml:3"
    assert re.search(reason, fault.problem.reason), fault.problem.reason


def test_a_bad_plane_lists_everything_that_is_wrong_with_it() -> None:
    obj = plane_object(subnets=[{"cidr": "10.0.0.1/24"}], interface="far-too-long-a-name")
    (fault,) = taken(obj).faults
    assert "spec.subnets[0].cidr" in fault.problem.reason
    assert "spec.interface" in fault.problem.reason


@pytest.mark.parametrize(
    ("name", "data", "where"),
    [
        ("m.json", b'{\n"a": 1\n', "m.json:3"),
        ("m.json", b"{}{}", "m.json:1"),
        ("m.yaml", b"a: 1\nb: [", "m.yaml:2"),
    ],
)
def test_a_file_that_is_no_json_or_yaml_is_broken_as_a_whole(
    name: str, data: bytes, where: str
) -> None:
    with pytest.raises(BrokenFileError) as caught:
        read_manifests(data, name)
    assert caught.value.problem.where == where
