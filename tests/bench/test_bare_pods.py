"""The kernel floor makes and removes what a pod of the benchmark has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.bare_pods import Floor, floor
from tests.bench.nodes import Node, node
from tests.support.node.netns import why_no_link_kind


@pytest.fixture
def pods() -> Iterator[tuple[Node, Floor]]:
    if reason := why_no_link_kind("macvlan"):
        pytest.skip(reason)
    with node(2) as made, floor(made) as bare:
        yield made, bare


def test_each_pod_gets_three_interfaces_with_addresses(pods: tuple[Node, Floor]) -> None:
    made, bare = pods
    burst = bare.burst("ADD", 2)
    shown = [sandbox.ip_json("-4", "address", "show", "up") for sandbox in made.sandboxes]
    found = [
        [(one["ifname"], one["addr_info"][0]["local"]) for one in links if one["ifname"] != "lo"]
        for links in shown
    ]
    assert found == [
        [("eth0", f"10.244.200.{n}"), ("net1", f"10.9.200.{n}"), ("net2", f"10.10.200.{n}")]
        for n in (1, 2)
    ]
    assert len(burst.each) == 2


def test_nothing_is_left_after_del(pods: tuple[Node, Floor]) -> None:
    made, bare = pods
    before = made.host.ip("-o", "link")
    bare.burst("ADD", 2)
    bare.burst("DEL", 2)
    assert [link["ifname"] for link in made.sandboxes[0].ip_json("link")] == ["lo"]
    assert made.host.ip("-o", "link").count("vethe") == before.count("vethe")


def test_what_the_kernel_refuses_is_an_error(pods: tuple[Node, Floor]) -> None:
    _made, bare = pods
    bare.burst("ADD", 1)
    with pytest.raises(RuntimeError, match="ADD of pod 0: File exists"):
        bare.burst("ADD", 1)
