"""Chained types with nothing to do: we answer what the reference plugins answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import PlanesError
from tests.support.node.netns import Node, why_no_reference
from tests.support.node.plugins import Ours, PluginError, Reference, ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

RESULT: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "interfaces": [
        {"name": "veth1", "mac": "02:00:00:00:00:01"},
        {"name": "eth0", "sandbox": "/n"},
    ],
    "ips": [{"address": "10.0.0.2/24", "gateway": "10.0.0.1", "interface": 1}],
    "routes": [{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}],
    "dns": {"nameservers": ["10.0.0.10"]},
}
OLD_RESULT = {"cniVersion": "0.3.1", "ips": [{"version": "4", "address": "10.0.0.2/24"}], "dns": {}}
IDLE: dict[str, list[dict[str, Any]]] = {
    "portmap": [
        {},
        {"snat": True, "masqAll": False, "conditionsV4": ["!", "-d", "10.0.0.0/8"]},
        {"markMasqBit": 31, "runtimeConfig": {"portMappings": []}},
        {"externalSetMarkChain": "KUBE-MARK-MASQ", "runtimeConfig": {"portMappings": None}},
    ],
    "bandwidth": [
        {},
        {"ingressRate": 0, "egressBurst": 0},
        {"runtimeConfig": {"bandwidth": {"ingressRate": 0, "ingressBurst": 0}}},
    ],
}
CALL = Call("c0ffee", "/proc/self/ns/net", "eth0")


def cases(kinds: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    head = {"cniVersion": "1.0.0", "name": "chained"}
    return [{**head, "type": kind, **more} for kind, confs in kinds.items() for more in confs]


@pytest.fixture
def native(node_b: Node) -> Any:
    kernel = Kernel(node_b.host.path)
    yield ours(kernel)
    kernel.close()


@pytest.mark.parametrize("conf", cases(IDLE), ids=json.dumps)
async def test_a_result_passes_through_as_it_does_in_the_reference(
    conf: dict[str, Any], native: Ours, node_a: Node
) -> None:
    """The answer is the same value in every version, and DEL is fine on either side."""
    if reason := why_no_reference(conf["type"]):
        pytest.skip(reason)
    reference = Reference(node_a.host)
    for previous in (RESULT, OLD_RESULT):
        given = {**conf, "cniVersion": previous["cniVersion"], "prevResult": previous}
        theirs = json.loads(await reference.add(CALL, given))
        assert json.loads(await native.add(CALL, given)) == theirs
        for side in (reference, native):
            await side.delete(CALL, given)
            await side.delete(CALL, conf)


@pytest.mark.parametrize("conf", cases({"portmap": IDLE["portmap"]}), ids=json.dumps)
async def test_no_previous_result_is_refused_as_by_the_reference(
    conf: dict[str, Any], native: Ours, node_a: Node
) -> None:
    """ADD and CHECK fail on either side, with the same code and the reference's words."""
    if reason := why_no_reference(conf["type"]):
        pytest.skip(reason)
    with pytest.raises(PluginError, match="must be called as chained plugin") as theirs:
        await Reference(node_a.host).add(CALL, conf)
    with pytest.raises(PlanesError, match="must be called as chained plugin") as mine:
        await native.add(CALL, conf)
    assert mine.value.cni_code == theirs.value.code
    with pytest.raises(PlanesError, match="prevResult missing"):
        await native.check(CALL, conf)
