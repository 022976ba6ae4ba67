"""A cluster of 30,000 pods is read in pages, of pods the metadata alone, and not more than once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from planes.cli.addresses.cluster_check import check
from planes.cli.addresses.counting import count_planes
from planes.cli.addresses.who import look_for
from planes.cli.reading.address_use import plane_uses
from planes.cli.reading.place import Place
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.client.request import RequestLimits
from planes.kube.resources import IPBLOCKS, NODES, PLANES, PODS
from planes.model.addresses import IPAddress, parse_address, parse_network
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION, STATUS_ANNOTATION
from planes.model.state.node_use import NodeUse
from planes.model.state.plane_health import encode_report
from planes.run.clock import SystemClock
from tests.support.kube.scripted_api import ScriptedApi, client_of, scripted_api
from tests.support.planes import plane_object

NODE_COUNT, PODS_OF_NODE, SPACES = 500, 60, 5000
PAGE, METADATA_PAGE = 100, 200


def addresses_of(node: int) -> int:
    """Return the number of the first address of a node's block."""
    return (10 << 24) + (node << 6)


class ManyPods:
    """Answers lists of a cluster with 500 nodes, 60 pods on each, in 5,000 namespaces."""

    def __init__(self) -> None:
        self.pages: Counter[str] = Counter()
        self.odd: list[str] = []
        text = (
            '{"metadata":{"name":"web-%d","namespace":"s%d","uid":"u%d","annotations":{"%s":%s}}}'
        )
        self._pods = [
            text % (number, number % SPACES, number, STATUS_ANNOTATION, self._status(number))
            for number in range(NODE_COUNT * PODS_OF_NODE)
        ]
        names = [f"n{number}" for number in range(NODE_COUNT)]
        self._lists = {
            PODS.path(): self._pods,
            PODS.path(NETPLANE_NAMESPACE): [self._daemon(name) for name in names],
            NODES.path(): [json.dumps({"metadata": {"name": name}}) for name in names],
            IPBLOCKS.path(): [self._block(number) for number in range(NODE_COUNT)],
            PLANES.path(): [json.dumps(plane_object(subnets=[{"cidr": "10.0.0.0/8"}]))],
        }

    @staticmethod
    def _status(number: int) -> str:
        node, turn = divmod(number, PODS_OF_NODE)
        address = str(parse_address_of(addresses_of(node) + 1 + turn))
        status = [{"name": "netplane-system/business", "ips": [address]}]
        return json.dumps(json.dumps(status))

    @staticmethod
    def _daemon(node: str) -> str:
        use = {"business": NodeUse(PODS_OF_NODE, 1)}
        annotations = {PLANE_HEALTH_ANNOTATION: encode_report(node, {}, use)}
        return json.dumps({"metadata": {"name": f"cni-{node}", "annotations": annotations}})

    @staticmethod
    def _block(number: int) -> str:
        network = parse_network(f"{parse_address_of(addresses_of(number))}/26")
        obj = NodeBlock("business", f"n{number}", network).to_json()
        obj["metadata"].update(uid=f"b{number}", resourceVersion="7")
        return json.dumps(obj)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        items, start = self._lists[request.path], int(request.query.get("continue", "0"))
        is_partial = "PartialObjectMetadataList" in request.headers["Accept"]
        limit = int(request.query.get("limit", "0"))
        self.pages[request.path] += 1
        is_asked_well = is_partial is ("pods" in request.path or "nodes" in request.path)
        if limit != (METADATA_PAGE if is_partial else PAGE) or not is_asked_well:
            self.odd.append(str(request.rel_url))
        end = start + limit
        more = {"continue": str(end)} if end < len(items) else {}
        head = orjson.dumps({"resourceVersion": "7", **more}).decode()
        body = f'{{"metadata":{head},"items":[{",".join(items[start:end])}]}}'
        return web.Response(text=body, content_type="application/json")


def parse_address_of(number: int) -> IPAddress:
    """Return the IPv4 address of a number."""
    return parse_address(".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0)))


@pytest.fixture(scope="module")
def cluster() -> ManyPods:
    return ManyPods()


@pytest.fixture
async def place(cluster: ManyPods, tmp_path: Path) -> AsyncIterator[Place]:
    cluster.pages.clear()
    limits = RequestLimits(connect=60.0, total=60.0, idle=60.0)
    async with scripted_api(tmp_path) as api:
        script(api, cluster)
        async with client_of(api, limits=limits, page_size=PAGE) as client:
            yield Place(client, SystemClock(), "the cluster")
    assert cluster.odd == []


def script(api: ScriptedApi, cluster: ManyPods) -> None:
    api.then(*[cluster.answer] * 400)


ALL_PODS = NODE_COUNT * PODS_OF_NODE // METADATA_PAGE
ALL_BLOCKS = NODE_COUNT // PAGE


async def test_who_keeps_the_one_address_alone(place: Place, cluster: ManyPods) -> None:
    address = parse_address("10.0.124.5")
    (answer,) = await look_for(place, address)
    assert [(use.pod, use.node) for use in answer.uses] == [("s4764/web-29764", "n496")]
    assert cluster.pages == {PLANES.path(): 1, PODS.path(): ALL_PODS, IPBLOCKS.path(): ALL_BLOCKS}
    use = (await plane_uses(place, address=address))["business"]
    assert (len(use.uses), len(use.blocks)) == (1, 1)


async def test_show_lists_no_pods_where_nodes_report(place: Place, cluster: ManyPods) -> None:
    (count,) = await count_planes(place, (), pytest.fail)
    assert (count.source, count.used, count.cooling) == ("nodes", 30_000, 500)
    daemons = -(-NODE_COUNT // METADATA_PAGE)
    assert cluster.pages == {
        PLANES.path(): 1,
        IPBLOCKS.path(): ALL_BLOCKS,
        PODS.path(NETPLANE_NAMESPACE): daemons,
    }


async def test_check_of_a_healthy_cluster_looks_once(place: Place, cluster: ManyPods) -> None:
    assert await check(place.api, place.clock) == []
    assert cluster.pages == {
        PLANES.path(): 1,
        NODES.path(): -(-NODE_COUNT // METADATA_PAGE),
        PODS.path(): ALL_PODS,
        IPBLOCKS.path(): ALL_BLOCKS,
    }
