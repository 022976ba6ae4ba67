"""Step: pods start with their planes, because their namespace has a label."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

import yaml

from planes.cli.demo import namespaces
from planes.cli.demo.environment import DemoEnvironment
from planes.cli.demo.namespaces import NODES, Node
from planes.cli.demo.report import DemoReport
from planes.model.errors import JsonObject
from planes.model.names import INJECTED_ANNOTATION, NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.model.wire.status import NetworkStatus, parse_status
from planes.model.workload import pods_of

EXPECTED: Final = {
    "business-app": {"eth0", "net1"},
    "ledger": {"eth0", "net1"},
    "storage-app": {"eth0", "net1", "storage0"},
}


def run(demo: DemoEnvironment, report: DemoReport) -> None:
    """Create the applications; check what each pod has."""
    for document in yaml.safe_load_all(demo.text("planes.yaml")):
        _introduce(demo, document)
    for node, placed in _scheduled(demo).items():
        demo.show(
            demo.netplane("pod", "add", "-f", "-", node=node, stdin=yaml.safe_dump_all(placed))
        )
    pods = {pod["metadata"]["name"]: pod for pod in demo.pods.all()}
    report.check(
        "every pod of the three applications runs, on two nodes, with no annotation asking for it",
        holds=len(pods) == 6,
        seen=f"{len(pods)} of 6",
    )
    if len(pods) != 6:  # why is above, pod by pod
        return
    demo.show(demo.netplane("pod", "list", node=NODES[0]))
    _look_at_interfaces(demo, report, pods)
    _look_at_addresses(report, pods)
    _look_at_reports(demo, report, pods)


def statuses(pod: JsonObject) -> tuple[NetworkStatus, ...]:
    """Return the elements of a pod's network-status."""
    return parse_status(pod["metadata"]["annotations"].get(STATUS_ANNOTATION, "[]"))


def application(name: str) -> str:
    """Return the application of a pod, "" for none."""
    return next((app for app in EXPECTED if name.startswith(app)), "")


def _introduce(demo: DemoEnvironment, document: Mapping[str, Any]) -> None:
    name = document["metadata"]["name"]
    if document["kind"] == "Plane":
        spec = document["spec"]
        network, subnet = spec["network"], spec["subnets"][0]["cidr"]
        demo.console.line(
            f"  plane {name}: {spec['purpose']}, {network['type']} on {network['master']}, {subnet}"
        )
        return
    labels = document["metadata"].get("labels", {})
    shown = ", ".join(f"{key}: {value}" for key, value in labels.items()) or "no plane label"
    demo.console.line(f"  namespace {name}: {shown}")


def _scheduled(demo: DemoEnvironment) -> dict[Node, list[dict[str, Any]]]:
    """Return the replicas of the workloads by node, as controllers and scheduler would."""
    placed: dict[Node, list[dict[str, Any]]] = {node: [] for node in NODES}
    for document in yaml.safe_load_all(demo.text("apps.yaml")):
        for number, pod in enumerate(pods_of(document)):
            placed[NODES[number % len(NODES)]].append(dict(pod))
    return placed


def _look_at_interfaces(
    demo: DemoEnvironment, report: DemoReport, pods: Mapping[str, JsonObject]
) -> None:
    wrong = []
    for name, pod in pods.items():
        links = namespaces.links(demo.netns(pod))
        found = {link["ifname"] for link in links} - {"lo"}
        up = {link["ifname"] for link in links if "UP" in link["flags"]} - {"lo"}
        if not found == up == EXPECTED[application(name)]:
            wrong.append(f"{name} has {sorted(found)}")
    _show_inside(demo, next(pod for name, pod in pods.items() if name.startswith("storage")))
    report.check(
        "the kernel shows eth0 and one interface per plane inside each pod, all up",
        holds=not wrong,
        seen="; ".join(wrong),
    )


def _show_inside(demo: DemoEnvironment, pod: JsonObject) -> None:
    netns = demo.netns(pod)
    demo.console.line(f"  $ ip -n {netns} -brief address", "bold")
    for link in namespaces.links(netns):
        kind = link.get("linkinfo", {}).get("info_kind", "loopback")
        addresses = " ".join(
            f"{one['local']}/{one['prefixlen']}"
            for one in link["addr_info"]
            if one["family"] == "inet"
        )
        demo.console.line(f"    {link['ifname']:<10} {kind:<9} {link['address']}  {addresses}")


def _look_at_addresses(report: DemoReport, pods: Mapping[str, JsonObject]) -> None:
    everywhere = [ip for pod in pods.values() for status in statuses(pod) for ip in status.ips]
    report.check(
        "no address was handed out twice, although two nodes share the planes",
        holds=len(everywhere) == len(set(everywhere)) > 0,
        seen=str(sorted(everywhere, key=ip_address)),
    )
    ledgers = [
        next(
            status.ips[0] for status in statuses(pods[f"ledger-{n}"]) if status.interface == "net1"
        )
        for n in range(2)
    ]
    report.check(
        "replica n of the StatefulSet has the n-th static address",
        holds=ledgers == ["192.168.100.10", "192.168.100.11"],
        seen=str(ledgers),
    )


def _look_at_reports(
    demo: DemoEnvironment, report: DemoReport, pods: Mapping[str, JsonObject]
) -> None:
    pod = pods["ledger-0"]
    annotations = pod["metadata"]["annotations"]
    demo.console.line("  what the webhook wrote into ledger-0:")
    for key in (NETWORKS_ANNOTATION, INJECTED_ANNOTATION):
        demo.console.line(f"    {key}: {annotations.get(key, '(nothing)')}")
    demo.console.line(f"    {STATUS_ANNOTATION}:")
    for line in annotations.get(STATUS_ANNOTATION, "").splitlines():
        demo.console.line(f"      {line}")
    named = [element["name"] for element in json.loads(annotations[NETWORKS_ANNOTATION])]
    report.check("the webhook injected the plane", holds=named == ["business"], seen=str(named))
    said = [
        event["message"]
        for node in NODES
        for event in demo.events(node)
        if event["reason"] == "AddedInterface" and event["involvedObject"]["name"] == "ledger-0"
    ]
    for message in said:
        demo.console.line(f"    Normal  AddedInterface  {message}")
    wanted = [
        r"Add eth0 \[10\.244\.1\.\d+/24\] from cbr0",
        r"Add net1 \[192\.168\.100\.10/16\] from netplane-system/business",
    ]
    report.check(
        "AddedInterface events say so in Multus' words",
        holds=len(said) == 2 and all(map(re.fullmatch, wanted, said)),
        seen=str(said),
    )
