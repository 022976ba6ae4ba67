"""`netplane map` of a running node: each stop is what the kernel has inside the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from planes.model.names import STATIC_IPS_ANNOTATION
from tests.support.browser import browser, why_no_browser
from tests.support.command_line import netplane
from tests.support.map_page import STOPS, stops_in
from tests.support.node.netns import Namespace
from tests.support.node.node import LiveNode, addresses_in

pytestmark = pytest.mark.kernel

PODS = ("web-0", "web-1", "db-0")
Sandboxes = Callable[[int], list[Namespace]]


@pytest.fixture
def pods(node: LiveNode, sandboxes: Sandboxes) -> Iterator[dict[str, Namespace]]:
    """Sandboxes of attached pods, by what their cards are called."""
    made = dict(zip(PODS, sandboxes(len(PODS)), strict=True))
    for name, sandbox in made.items():
        asked = {STATIC_IPS_ANNOTATION: '{"business": ["192.168.100.9"]}'}
        node.put_pod(name, asked if name == "db-0" else None)
        node.call("ADD", name, sandbox, pod=name)
    yield {f"pod shop/{name} on node1": sandbox for name, sandbox in made.items()}
    for name, sandbox in made.items():
        node.call("DEL", name, sandbox, pod=name)


def inside(pods: dict[str, Namespace]) -> set[tuple[str, str, str]]:
    """Return pod, interface and address of what the kernel has."""
    return {
        (pod, interface, address.partition("/")[0])
        for pod, sandbox in pods.items()
        for interface, addresses in addresses_in(sandbox).items()
        for address in addresses
    }


def written(node: LiveNode, home: Path) -> Path:
    where = ("--manifests", str(node.manifests), "--state-dir", str(node.state))
    file = home / "map.html"
    assert netplane("map", *where, "--html", str(file)).status == 0
    return file


def test_each_stop_of_the_page_is_an_address_in_the_sandbox(
    node: LiveNode, pods: dict[str, Namespace], tmp_path: Path
) -> None:
    text = written(node, tmp_path).read_text().removeprefix("<!DOCTYPE html>\n")
    stops = list(stops_in(ET.fromstring(text)))  # noqa: S314 - our own text
    shown = {(pod, name, ip.removesuffix(" ◆")) for pod, _, name, ip in stops}
    assert shown == inside(pods)
    assert len(shown) == 3 * len(PODS)
    static = {(pod, name) for pod, _, name, ip in stops if ip.endswith(" ◆")}
    assert static == {("pod shop/db-0 on node1", "net1")}


@pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser() or "none")
@pytest.mark.timeout(120)
async def test_each_stop_that_a_browser_shows_is_an_address_in_the_sandbox(
    node: LiveNode, pods: dict[str, Namespace], tmp_path: Path
) -> None:
    file = await asyncio.to_thread(written, node, tmp_path)
    async with browser(tmp_path) as tab:
        await tab.open(file.as_uri())
        found = await tab.evaluate(STOPS)
    assert {(pod, name, ip.removesuffix(" ◆")) for pod, _, name, ip in found} == inside(pods)
    assert tab.console == []
