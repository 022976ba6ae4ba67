"""Every command is in docs/commands.md, with an example that does what it shows.

After a change of what commands print, `NETPLANE_WRITE_EXAMPLES=1` has this test write the output
into the page: look at the difference before you commit it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
import yaml

from planes.cli.__main__ import COMMANDS
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.resources import IPBLOCKS, PLANES, PODS
from planes.model.addresses import parse_network
from tests.support.command_line import netplane
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.nodes import put_node
from tests.support.kube.served_kube import served

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "commands.md"
SECTION = re.compile(r"^### (netplane [a-z -]+)\n(.*?)(?=^##|\Z)", re.S | re.M)
CONSOLE = re.compile(r"^```console\n\$ (.*?)\n(.*?)^```$", re.S | re.M)
FILE = re.compile(r"^```yaml\n# (\S+)\n(.*?)^```$", re.S | re.M)
LINK = re.compile(r"\]\(([^)#]+\.md)\)")
REST = "…\n"
"""A last line that stands for all that follows."""

TEXT = PAGE.read_text()
SECTIONS = dict(SECTION.findall(TEXT))


class Example(NamedTuple):
    """A command line of the page, and what the page says it prints."""

    line: str
    shown: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)[1:]


EXAMPLES = [Example(*found) for found in CONSOLE.findall(TEXT)]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Mapping[str, str]]:
    """Put the page's files and one pod into a directory; serve its cluster."""
    for name, content in FILE.findall(TEXT):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    _put_pod(tmp_path)
    plane = next(yaml.safe_load_all((tmp_path / "manifests" / "planes.yaml").read_text()))
    kube = FakeKube((PLANES, plane))
    for node in ("n1", "n2"):
        put_node(kube, node)
        _put_program(kube, "netplane-cni", "cni", node)
        _put_program(kube, "netplane-webhook", "webhook", node)
    for node, cidr in (("n1", "192.168.10.0/26"), ("n7", "192.168.10.64/26")):
        block = NodeBlock("business", node, parse_network(cidr))
        kube.put_object(IPBLOCKS, block.to_json())
    (tmp_path / "served").mkdir()
    async with served(kube, tmp_path / "served") as kubeconfig:
        yield {"KUBECONFIG": str(kubeconfig)}


def _put_program(kube: FakeKube, app: str, container: str, node: str) -> None:
    meta = {
        "name": f"{app}-{node}",
        "namespace": "netplane-system",
        "labels": {"app.kubernetes.io/name": app},
    }
    containers = [{"name": container, "image": "docker.io/library/netplane:0.1.0"}]
    kube.put_object(PODS, {"metadata": meta, "spec": {"nodeName": node, "containers": containers}})


def _put_pod(folder: Path) -> None:
    """Put the pod db-0 as `netplane pod add` leaves it, with one interface on a plane."""
    meta = {"name": "db-0", "namespace": "shop", "uid": "u1"}
    status = [
        {"name": "host", "interface": "eth0", "ips": ["10.87.0.2"], "default": True},
        {
            "name": "netplane-system/business",
            "interface": "net1",
            "ips": ["192.168.100.10"],
            "mac": "02:00:00:00:00:01",
        },
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"nodeName": "n1", "containers": []},
        "status": {"phase": "Running"},
    }
    for path, content in (
        ("manifests/pods/shop_db-0.json", pod),
        ("state/status/shop/db-0.json", status),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(orjson.dumps(content))


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def test_every_command_has_a_section_and_no_other_has_one() -> None:
    assert sorted(SECTIONS) == sorted(f"netplane {' '.join(command.words)}" for command in COMMANDS)


@pytest.mark.parametrize("words", [command.words for command in COMMANDS], ids="-".join)
def test_a_section_has_an_example_or_the_page_that_has_one(words: tuple[str, ...]) -> None:
    """What needs root, a daemon or much text is shown on a page of its own."""
    name = f"netplane {' '.join(words)}"
    section = SECTIONS[name]
    if any(line.startswith(name) for line, _ in CONSOLE.findall(section)):
        return
    pages = [(PAGE.parent / link).resolve().read_text() for link in LINK.findall(section)]
    shown = re.compile(rf"{name}\b|make {words[-1]}\b")
    assert any(shown.search(page) for page in pages), name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.line)
async def test_an_example_prints_what_the_page_shows(
    example: Example, cluster: Mapping[str, str], tmp_path: Path
) -> None:
    with inside(tmp_path):
        outcome = await asyncio.to_thread(netplane, *example.words, env=cluster)
    assert outcome.status in {0, 1}, outcome.err
    if os.environ.get("NETPLANE_WRITE_EXAMPLES") and not example.shown.endswith(REST):
        head = f"```console\n$ {example.line}\n"
        PAGE.write_text(
            PAGE.read_text().replace(f"{head}{example.shown}```", f"{head}{outcome.out}```")
        )
        return
    if example.shown.endswith(REST):
        assert outcome.out.startswith(example.shown.removesuffix(REST))
    else:
        assert outcome.out == example.shown
