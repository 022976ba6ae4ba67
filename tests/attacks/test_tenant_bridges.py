"""A tenant whose pods make one bridge of the node after another, by NADs written again and again.

Each pod made 32 in 65 ms, and each took some 50 KiB of the kernel's memory for good.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pytest

from tests.attacks.objects import joined_namespace, nad_object
from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.model import pod_object
from tests.support.node.daemon import JsonObject, Place
from tests.support.node.netns import Node

pytestmark = pytest.mark.kernel
GUARDED = ("--nads", "guarded")
KIND = {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition"}


def nad(name: str, bridge: str, namespace: str = "evil") -> JsonObject:
    conf = {"cniVersion": "1.0.0", "name": name, "type": "bridge", "bridge": bridge}
    return KIND | nad_object(name, namespace, config=json.dumps(conf))


def pod(name: str, networks: Iterable[str]) -> JsonObject:
    made = pod_object(name, namespace="evil", networks=",".join(networks))
    return {"apiVersion": "v1", "kind": "Pod", **made}


def bridges(here: Node) -> set[str]:
    names = {link["ifname"] for link in here.host.ip_json("link")}
    return {name for name in names if name.startswith(("br-", "prod"))}


def write(place: Place, *objects: JsonObject, flags: Sequence[str] = GUARDED) -> None:
    set_up(place)
    place.manifest("evil", joined_namespace("evil"), *objects)
    place.start(*flags)


def once(place: Place, here: Node, name: str) -> None:
    place.call("ADD", here.sandbox.path, container=name, pod=f"evil/{name}")
    place.call("DEL", here.sandbox.path, container=name, pod=f"evil/{name}")


@pytest.mark.parametrize("native", ["bridge=true", "bridge=false"])
def test_tenant_leaves_no_more_bridges_than_one_pod_has(
    daemon: Place, here: Node, native: str
) -> None:
    """By the native type, and by the binary."""
    rounds, each = 3, 4
    nads = [nad(f"n{i}-{j}", f"br-{i}-{j}") for i in range(rounds) for j in range(each)]
    pods = [pod(f"p{i}", [f"n{i}-{j}" for j in range(each)]) for i in range(rounds)]
    write(daemon, *nads, *pods, flags=(*GUARDED, "--native", native))
    for number in range(rounds):
        once(daemon, here, f"p{number}")
    assert bridges(here) == {f"br-{rounds - 1}-{number}" for number in range(each)}
    assert leftovers(daemon, here) == NOTHING


def test_a_bridge_that_somebody_else_made_or_uses_stays(daemon: Place, here: Node) -> None:
    host = here.host
    host.ip("link", "add", "br-old", "type", "bridge")
    names = ("old", "addressed", "below", "kept", "used", "new")
    write(
        daemon,
        *(nad(name, f"br-{name}") for name in names),
        nad("admin", "prod0", "kube-system"),
        *(pod(name, [name]) for name in names),
        pod("admin", ["kube-system/admin"]),
    )
    for name in ("old", "addressed", "below", "kept", "admin"):
        once(daemon, here, name)
        if name == "addressed":
            host.ip("addr", "add", "10.250.7.1/24", "dev", "br-addressed")
        elif name == "below":
            host.ip("link", "add", "on-below", "link", "br-below", "type", "macvlan")
        elif name == "kept":
            host.ip("link", "set", "br-kept", "group", "default")
    daemon.call("ADD", here.sandbox.path, container="used", pod="evil/used")
    with_new = here.far
    daemon.call("ADD", with_new.path, container="new", pod="evil/new")
    expected = {"br-old", "br-addressed", "br-below", "br-kept", "br-used", "br-new", "prod0"}
    assert bridges(here) == expected
    daemon.call("DEL", with_new.path, container="new", pod="evil/new")
    daemon.call("DEL", here.sandbox.path, container="used", pod="evil/used")


def test_under_multus_s_rules_bridges_stay(daemon: Place, here: Node) -> None:
    write(
        daemon,
        *(nad(name, f"br-{name}") for name in "ab"),
        *(pod(name, [name]) for name in "ab"),
        flags=("--nads", "open"),
    )
    for name in "ab":
        once(daemon, here, name)
    assert bridges(here) == {"br-a", "br-b"}
