"""Whose sandbox it is: watched, read live, made up from the netconf, or nobody's."""

from __future__ import annotations

import pytest

from cni.pods import Caller, Pods
from planes.model.decide.decision import decide
from planes.model.errors import BadInput, Unavailable
from planes.model.objects import Namespace, Pod
from tests.support.planes import make_plane
from tests.support.store import FakeStore


def store() -> FakeStore:
    labelled = {"matchLabels": {"tier": "db"}}
    return FakeStore(
        planes=[
            make_plane("business"),
            make_plane("storage", order=1, namespaceSelector=labelled),
            make_plane("asked", order=2, attachment="OnRequest"),
        ],
        namespaces=[
            Namespace("shop", {"plane.netplane.io/business": "enabled"}),
            Namespace("bare"),
        ],
        pods=[
            Pod("shop", "web", uid="u1"),
            Pod("shop", "manifest"),
            Pod("shop", "static", uid="m", annotations={"kubernetes.io/config.source": "file"}),
        ],
    )


def caller(pod: str = "", uid: str = "", namespace: str = "shop") -> Caller:
    return Caller("c1", namespace if pod else "", pod, uid)


@pytest.mark.parametrize(
    ("name", "uid"), [("web", "u1"), ("web", ""), ("manifest", "any"), ("static", "hash")]
)
async def test_a_pod_is_known_by_name_and_uid(name: str, uid: str) -> None:
    """Manifests may have no UID, and a static pod's differs from its mirror's."""
    found = await Pods(store(), is_standalone=True).find(caller(name, uid), {})
    assert (found.is_known, found.has_planes, found.pod.name) == (True, True, name)


async def test_another_uid_is_looked_up_live_and_then_refused() -> None:
    there = store()
    with pytest.raises(Unavailable) as caught:
        await Pods(there, is_standalone=True).find(caller("web", "u2"), {})
    assert caught.value.cni_code == 11
    there.late_pods["shop", "web"] = Pod("shop", "web", uid="u2")
    found = await Pods(there, is_standalone=True).find(caller("web", "u2"), {})
    assert found.pod.uid == "u2"


async def test_a_stranger_has_no_planes() -> None:
    found = await Pods(store(), is_standalone=True).find(caller("nobody"), {})
    assert (found.is_known, found.has_planes) == (False, False)
    found = await Pods(store(), is_standalone=True).find(caller(), {})
    assert (found.pod.namespace, found.pod.name) == ("default", "c1")


async def planes_of(conf: dict[str, object], *, is_standalone: bool = True) -> list[str | None]:
    there = store()
    found = await Pods(there, is_standalone=is_standalone).find(caller("nobody"), conf)
    if not found.has_planes:
        return []
    decision = decide(found.pod, found.namespace, there.catalog)
    assert decision.errors == ()
    return [attachment.plane for attachment in decision.attachments]


@pytest.mark.parametrize(
    ("conf", "planes"),
    [
        ({"namespace": "shop"}, ["business"]),
        ({"namespace": "bare"}, []),
        ({"planes": ["business"]}, ["business"]),
        ({"planes": ["asked"]}, ["asked"]),
        ({"planes": ["storage"]}, ["storage"]),
        ({"planes": ["storage", "business"]}, ["storage", "business"]),
        ({"planes": ["asked"], "namespace": "shop"}, ["asked", "business"]),
    ],
)
async def test_a_netconf_names_planes_in_standalone_mode(
    conf: dict[str, object], planes: list[str]
) -> None:
    """Whoever may write netconfs on this machine may join its planes."""
    assert await planes_of(conf) == planes


async def test_with_a_cluster_the_netconf_names_nothing() -> None:
    assert await planes_of({"planes": ["business"]}, is_standalone=False) == []


async def test_the_netconf_does_not_add_planes_to_a_pod_that_is_known() -> None:
    found = await Pods(store(), is_standalone=True).find(caller("web"), {"planes": ["asked"]})
    assert dict(found.pod.annotations) == {}


@pytest.mark.parametrize(
    "conf", [{"namespace": "nowhere"}, {"planes": ["nowhere"]}, {"planes": "x"}, {"namespace": 1}]
)
async def test_a_netconf_that_names_nothing_real_is_refused(conf: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        await Pods(store(), is_standalone=True).find(caller("nobody"), conf)


async def test_on_a_cluster_a_pod_of_another_node_is_refused() -> None:
    """Two daemons under one node's name would hand out the same addresses."""
    there = store()
    there.put_pod(Pod("shop", "far", uid="u9", node="node-b"))
    pods = Pods(there, is_standalone=False, node="node-a")
    with pytest.raises(BadInput, match="it is for node node-b"):
        await pods.find(caller("far"), {})
    alone = Pods(there, is_standalone=True, node="node-a")
    assert (await alone.find(caller("far"), {})).is_known


async def test_on_a_cluster_a_pod_waits_until_its_namespace_is_seen() -> None:
    """Without its labels nobody knows its planes, and none would be attached."""
    there = store()
    there.put_pod(Pod("new", "web", uid="u1"))
    pods = Pods(there, is_standalone=False)
    with pytest.raises(Unavailable, match="its namespace is not seen yet") as caught:
        await pods.find(caller("web", "u1", "new"), {})
    assert caught.value.cni_code == 11
    there.put_namespace(Namespace("new", {"plane.netplane.io/business": "enabled"}))
    assert (await pods.find(caller("web", "u1", "new"), {})).namespace.labels


async def test_on_one_machine_a_namespace_needs_no_manifest() -> None:
    there = store()
    there.put_pod(Pod("new", "web", uid="u1"))
    found = await Pods(there, is_standalone=True).find(caller("web", "u1", "new"), {})
    assert dict(found.namespace.labels) == {}


async def test_on_a_cluster_a_sandbox_of_no_pod_needs_no_namespace() -> None:
    found = await Pods(store(), is_standalone=False).find(caller("crictl", "x", "new"), {})
    assert (found.is_known, found.has_planes) == (False, False)
