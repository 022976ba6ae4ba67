"""The pod of a call: watched, read live, made from the netconf, or none."""

from __future__ import annotations

import pytest

from cni.planning.pods import Pods, Subject
from planes.model.decide.decision import Attachment, decide
from planes.model.errors import BadInput, Unavailable
from planes.model.objects import Namespace, Pod
from tests.support.cni.calls import add_request
from tests.support.planes import make_plane
from tests.support.store import FakeStore


def _cidr(number: int) -> list[dict[str, str]]:
    """Return subnets of a plane's own: two planes of one wire and CIDR are not both accepted."""
    return [{"cidr": f"10.{number}.0.0/24"}]


def store() -> FakeStore:
    labelled = {"matchLabels": {"tier": "db"}}
    return FakeStore(
        planes=[
            make_plane("business"),
            make_plane("storage", order=1, namespaceSelector=labelled, subnets=_cidr(8)),
            make_plane("asked", order=2, attachment="OnRequest", subnets=_cidr(7)),
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


@pytest.mark.parametrize(
    ("name", "uid"), [("web", "u1"), ("web", ""), ("manifest", "any"), ("static", "hash")]
)
async def test_a_pod_is_known_by_name_and_uid(name: str, uid: str) -> None:
    """Manifests may have no UID, and a static pod's differs from its mirror's."""
    found = await Pods(store(), is_standalone=True).find(add_request(name, uid))
    assert (found.is_known, found.has_planes, found.pod.name) == (True, True, name)


async def test_another_uid_is_looked_up_live_and_then_refused() -> None:
    there = store()
    with pytest.raises(Unavailable) as caught:
        await Pods(there, is_standalone=True).find(add_request("web", "u2"))
    assert caught.value.cni_code == 11
    there.late_pods["shop", "web"] = Pod("shop", "web", uid="u2")
    found = await Pods(there, is_standalone=True).find(add_request("web", "u2"))
    assert found.pod.uid == "u2"


async def test_a_caller_without_a_known_pod_has_no_planes() -> None:
    found = await Pods(store(), is_standalone=True).find(add_request("nobody"))
    assert (found.is_known, found.has_planes) == (False, False)
    found = await Pods(store(), is_standalone=True).find(add_request())
    assert (found.pod.namespace, found.pod.name) == ("default", "c1")


async def planes_of(conf: dict[str, object], *, is_standalone: bool = True) -> list[str | None]:
    there = store()
    found = await Pods(there, is_standalone=is_standalone).find(add_request("nobody", conf=conf))
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
    found = await Pods(store(), is_standalone=True).find(
        add_request("web", conf={"planes": ["asked"]})
    )
    assert dict(found.pod.annotations) == {}


@pytest.mark.parametrize(
    "conf", [{"namespace": "nowhere"}, {"planes": ["nowhere"]}, {"planes": "x"}, {"namespace": 1}]
)
async def test_a_netconf_that_names_nothing_real_is_refused(conf: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        await Pods(store(), is_standalone=True).find(add_request("nobody", conf=conf))


async def test_on_a_cluster_a_pod_of_another_node_is_refused() -> None:
    """Two daemons under one node's name would hand out the same addresses."""
    there = store()
    there.put_pod(Pod("shop", "far", uid="u9", node="node-b"))
    pods = Pods(there, is_standalone=False, node="node-a")
    with pytest.raises(BadInput, match="it is for node node-b"):
        await pods.find(add_request("far"))
    alone = Pods(there, is_standalone=True, node="node-a")
    assert (await alone.find(add_request("far"))).is_known


async def test_on_a_cluster_a_pod_waits_until_its_namespace_is_seen() -> None:
    """Without its labels nobody knows its planes, and none would be attached."""
    there = store()
    there.put_pod(Pod("new", "web", uid="u1"))
    pods = Pods(there, is_standalone=False)
    with pytest.raises(Unavailable, match="its namespace is not seen yet") as caught:
        await pods.find(add_request("web", "u1", "new"))
    assert caught.value.cni_code == 11
    there.put_namespace(Namespace("new", {"plane.netplane.io/business": "enabled"}))
    assert (await pods.find(add_request("web", "u1", "new"))).namespace.labels


async def test_on_one_machine_a_namespace_needs_no_manifest() -> None:
    there = store()
    there.put_pod(Pod("new", "web", uid="u1"))
    found = await Pods(there, is_standalone=True).find(add_request("web", "u1", "new"))
    assert dict(found.namespace.labels) == {}


async def test_on_a_cluster_a_sandbox_of_no_pod_needs_no_namespace() -> None:
    found = await Pods(store(), is_standalone=False).find(add_request("crictl", "x", "new"))
    assert (found.is_known, found.has_planes) == (False, False)


async def test_wishes_of_the_caller_become_those_of_the_first_plane() -> None:
    """As a pod would ask for them, so that the plane's rules judge them."""
    args = {"IP": "10.9.0.7, fd00::7", "MAC": "02:00:00:00:00:07"}
    runtime = {"ips": ["10.9.0.7/24"], "mac": "02:00:00:00:00:07"}
    conf = {"planes": ["business", "asked"], "delegate": {}, "runtimeConfig": runtime}
    found = await Pods(store(), is_standalone=True).find(add_request(args=args, conf=conf))
    first, second = (one.selection for one in decide_for(found))
    assert (first.ips, first.mac) == (("10.9.0.7/24", "fd00::7"), "02:00:00:00:00:07")
    assert (second.ips, second.mac) == ((), "")
    assert found.is_alone


@pytest.mark.parametrize(
    "conf", [{}, {"delegate": {"type": "bridge"}}, {"delegate": {}, "prevResult": {}}]
)
async def test_with_a_network_before_the_planes_the_wishes_are_its_own(
    conf: dict[str, object],
) -> None:
    asked = add_request(args={"IP": "10.9.0.7"}, conf={"planes": ["business"], **conf})
    found = await Pods(store(), is_standalone=True).find(asked)
    assert [one.selection.ips for one in decide_for(found)] == [()]
    assert not found.is_alone


@pytest.mark.parametrize(
    ("args", "runtime", "words"),
    [
        ({"IP": "x"}, {}, "cannot use the address that the caller asks for"),
        ({}, {"ips": ["10.9.0.300"]}, "cannot use the address that the caller asks for"),
        ({"MAC": "02:00:00:00:00:01"}, {"mac": "02:00:00:00:00:02"}, "CNI_ARGS ask for it"),
    ],
)
async def test_wishes_that_make_no_sense_are_refused(
    args: dict[str, str], runtime: dict[str, object], words: str
) -> None:
    conf = {"planes": ["business"], "delegate": {}, "runtimeConfig": runtime}
    with pytest.raises(BadInput, match=words):
        await Pods(store(), is_standalone=True).find(add_request(args=args, conf=conf))


@pytest.mark.parametrize("conf", [{}, {"namespace": "bare"}])
async def test_wishes_that_nothing_would_get_are_refused(conf: dict[str, object]) -> None:
    asked = add_request(args={"IP": "10.9.0.7"}, conf={**conf, "delegate": {}})
    with pytest.raises(BadInput, match="names no plane and no default network"):
        await Pods(store(), is_standalone=True).find(asked)


def decide_for(found: Subject) -> tuple[Attachment, ...]:
    """Decide what a container gets."""
    return decide(found.pod, found.namespace, store().catalog).attachments


@pytest.mark.parametrize(
    ("key", "near"), [("plane", "planes"), ("Namespaces", "namespace"), ("delegates", "delegate")]
)
async def test_a_misspelt_key_of_ours_is_refused_with_the_near_one(key: str, near: str) -> None:
    """The container would start without its planes, and nobody would say so."""
    with pytest.raises(BadInput, match=f'nobody reads its key "{key}"') as caught:
        await Pods(store(), is_standalone=True).find(add_request(conf={key: ["business"]}))
    assert caught.value.remedy == f"did you mean {near}?"


@pytest.mark.parametrize("conf", [{"Planes": ["business"]}, {"name": "x", "dns": {}, "args": {}}])
async def test_keys_of_cni_and_ours_in_any_case_are_read(conf: dict[str, object]) -> None:
    found = await Pods(store(), is_standalone=True).find(add_request(conf=conf))
    assert found.has_planes is ("Planes" in conf)
