"""Step: the map of all pods, compared with what the kernel shows inside each of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from planes.cli.demo import namespaces
from planes.cli.demo.environment import DemoEnvironment
from planes.cli.demo.namespaces import NODES
from planes.cli.demo.report import DemoReport

_INDENT: Final = " " * 4
_USUAL: Final = 100

Stop = tuple[str, str, str]
"""Pod as `namespace/name`, interface, address."""


def run(demo: DemoEnvironment, report: DemoReport) -> None:
    """Print the map, write the page where the user asked for it, compare each stop."""
    where = ("--state-dir", str(_state(demo)))
    room = shutil.get_terminal_size((_USUAL, 24)).columns - len(_INDENT)
    drawn = demo.netplane("map", *where, node=NODES[0], env={"COLUMNS": str(room)})
    for line in (drawn.stdout + drawn.stderr).splitlines():
        demo.console.line(f"{_INDENT}{line}".rstrip())
    if demo.map_file:
        done = demo.netplane("map", "--html", demo.map_file, *where, node=NODES[0])
        report.check("the map is a page for a browser", holds=not done.returncode, seen=done.stderr)
    told = demo.netplane("map", "--output", "json", *where, node=NODES[0])
    shown = set(_stops(json.loads(told.stdout or "{}")))
    inside = set(_inside(demo))
    report.check(
        "the map shows each interface of each pod with the address that it has",
        holds=shown == inside != set(),
        seen=", ".join(" ".join(stop) for stop in sorted(shown ^ inside)) or told.stderr,
    )


def _state(demo: DemoEnvironment) -> Path:
    """Return one state directory for both nodes: a map is of one machine, these are on one."""
    folder = demo.folder / "map"
    for node in NODES:
        published = demo.state(node) / "status"
        if published.is_dir():
            shutil.copytree(published, folder / "status", dirs_exist_ok=True)
    folder.mkdir(exist_ok=True)
    (folder / "addresses").symlink_to(demo.addresses)
    return folder


def _stops(document: dict[str, Any]) -> Iterator[Stop]:
    for group in document.get("groups", ()):
        for pod in group["pods"]:
            for interface in pod["interfaces"]:
                for one in interface["addresses"]:
                    name = f"{pod['namespace']}/{pod['name']}"
                    yield name, interface["interface"], one["address"]


def _inside(demo: DemoEnvironment) -> Iterator[Stop]:
    for pod in demo.pods.all():
        meta = pod["metadata"]
        for link in namespaces.links(demo.netns(pod)):
            for one in link["addr_info"]:
                if link["ifname"] != "lo" and one["family"] == "inet":
                    yield f"{meta['namespace']}/{meta['name']}", link["ifname"], one["local"]
