"""Each example below manifests/examples/kinds, applied to a node as it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.node.netns import Namespace, why_no_link_kind
from tests.support.node.node import LiveNode, addresses_in

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(90)]

KINDS = Path(__file__).parents[2] / "manifests" / "examples" / "kinds"
Sandboxes = Callable[[int], list[Namespace]]
JsonObject = dict[str, Any]

NEEDS = {
    "macvlan": "macvlan",
    "ipvlan": "ipvlan",
    "vlan": "vlan",
    "bridge": "bridge",
    "host-device": "",
    "limited": "bridge",
}
"""The link kind that an example needs of the kernel, by file; "" where any has it."""
LACKED = {"ipvlan", "vlan"}
"""Those that most kernels lack: `make vm`."""
ELSEWHERE = {"sriov": "its device comes from a kubelet"}


def documents(kind: str) -> list[JsonObject]:
    return list(yaml.safe_load_all((KINDS / f"{kind}.yaml").read_text()))


def applied(node: LiveNode, kind: str) -> list[JsonObject]:
    """Apply an example to a node; return its pods."""
    if NEEDS[kind] and (reason := why_no_link_kind(NEEDS[kind])):
        pytest.skip(reason)
    given = documents(kind)
    pods = [one for one in given if one["kind"] == "Pod"]
    node.put(*(one for one in given if one["kind"] != "Pod"))
    for pod in pods:
        meta = {**pod["metadata"], "uid": f"uid-{pod['metadata']['name']}"}
        node.pods.put({**pod, "metadata": meta})
    node.start()
    return pods


def arguments(pod: JsonObject) -> str:
    meta = pod["metadata"]
    return (
        f"K8S_POD_NAMESPACE={meta['namespace']};K8S_POD_NAME={meta['name']}"
        f";K8S_POD_UID=uid-{meta['name']}"
    )


def test_each_example_is_run_by_a_test_or_says_where() -> None:
    assert {path.stem for path in KINDS.glob("*.yaml")} == {*NEEDS, *ELSEWHERE}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[pytest.mark.second_kernel] if kind in LACKED else [])
        for kind in NEEDS
    ],
)
def test_the_pods_of_an_example_get_their_interface(
    own_node: LiveNode, sandboxes: Sandboxes, kind: str
) -> None:
    """With an address of the plane; pods of one example reach each other; DEL leaves nothing."""
    pods = applied(own_node, kind)
    made = sandboxes(len(pods))
    found: list[str] = []
    for number, (pod, sandbox) in enumerate(zip(pods, made, strict=True)):
        added = own_node.call("ADD", f"c{number}", sandbox, CNI_ARGS=arguments(pod))
        assert added.status == 0, added.error
        [address] = addresses_in(sandbox)["net1"]
        found.append(address.partition("/")[0])
    assert len(set(found)) == len(pods)
    for sandbox, other in zip(made, reversed(found), strict=True) if len(pods) > 1 else ():
        sandbox.run("busybox", "ping", "-c", "1", "-W", "3", "-I", "net1", other)
    for number, (pod, sandbox) in enumerate(zip(pods, made, strict=True)):
        assert own_node.call("DEL", f"c{number}", sandbox, CNI_ARGS=arguments(pod)).status == 0
        assert addresses_in(sandbox) == {}
    for bridge in ("br-example", "br-limited"):
        if bridge in own_node.host.ip("link"):
            own_node.host.ip("link", "del", bridge)


@pytest.mark.second_kernel
def test_the_chosen_address_of_an_example_is_the_one_it_gets(
    own_node: LiveNode, sandbox: Namespace
) -> None:
    pods = applied(own_node, "ipvlan")
    assert own_node.call("ADD", "c0", sandbox, CNI_ARGS=arguments(pods[0])).status == 0
    assert addresses_in(sandbox)["net1"] == ["192.168.41.100/24"]
    assert own_node.call("DEL", "c0", sandbox, CNI_ARGS=arguments(pods[0])).status == 0


def test_a_card_of_the_node_comes_back_from_its_pod(own_node: LiveNode, sandbox: Namespace) -> None:
    [pod] = applied(own_node, "host-device")
    assert own_node.call("ADD", "c0", sandbox, CNI_ARGS=arguments(pod)).status == 0
    assert "eth2" not in own_node.host.ip("link")
    assert own_node.call("DEL", "c0", sandbox, CNI_ARGS=arguments(pod)).status == 0
    assert "eth2" in own_node.host.ip("link")
