"""A chain of all types that leave something on the host, ended at every step: nothing is left."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.node.daemon import CniError, DiedError, Place
from tests.support.node.limits import EGRESS, INGRESS, why_no_qdiscs
from tests.support.node.netns import Node

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(600)]

PORTS = [
    {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
    {"hostPort": 5353, "containerPort": 53, "protocol": "udp"},
]
CONF = {"runtimeConfig": {"portMappings": PORTS}}
OWN = re.compile(
    r"CNI-(DN-|FW-|[0-9a-f]{24})|macspoofchk|cni-br-iface|dnat to|masquerade comment"
    r"|10\.88\.|fd00:88:"
)
EACH = 6
"""Steps from one kill to the next; each is a start of the daemon."""


def chain(place: Place) -> dict[str, Any]:
    directory = str(place.directory)
    sysctl = {"net.ipv4.conf.IFNAME.arp_filter": "1"}
    limits = [] if why_no_qdiscs("tbf", "ingress", "u32") else [{**INGRESS, **EGRESS}]
    return {
        "cniVersion": "1.0.0",
        "name": "chained",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "br0",
                "isGateway": True,
                "ipMasq": True,
                "macspoofchk": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": f"{directory}/host-local",
                    "ranges": [[{"subnet": "10.88.0.0/24"}], [{"subnet": "fd00:88::/64"}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
            {"type": "firewall", "backend": "iptables"},
            *({"type": "bandwidth", **one} for one in limits),
            {"type": "tuning", "mtu": 1400, "sysctl": sysctl, "dataDir": f"{directory}/tuning"},
            {"type": "sbr"},
        ],
    }


def leftovers(place: Place, node: Node) -> list[str]:
    """Return what is left of attachments; the bridge and shared chains are not."""
    names = [link["ifname"] for link in node.host.ip_json("link")]
    rules = [
        line
        for command in (["iptables-save"], ["ip6tables-save"], ["nft", "list", "ruleset"])
        for line in node.host.run(*command).splitlines()
        if OWN.search(line)
    ]
    folders = ("host-local", "tuning", "state/journal", "state/status", "state/spool")
    files = [
        str(path.relative_to(place.directory))
        for folder in folders
        for path in (place.directory / folder).rglob("*")
        if path.is_file() and not path.name.startswith(("last_reserved_ip", "lock"))
    ]
    sandbox = [link["ifname"] for link in node.sandbox.ip_json("link") if link["ifname"] != "lo"]
    links = [name for name in names if name.startswith(("veth", "bwp"))]
    sources = [line for line in node.sandbox.ip("rule").splitlines() if "10.88." in line]
    return [*rules, *files, *sandbox, *links, *sources]


def test_after_restart_and_del_nothing_is_left_wherever_it_was_killed(
    daemon: Place, here: Node
) -> None:
    """Each life ends some steps of ADD or DEL later than the one before."""
    daemon.default_network(chain(daemon))
    steps = 1
    while not _survives(daemon, here, steps):
        steps += EACH
    assert steps > 20, "the steps of the ADD were not seen"
    assert leftovers(daemon, here) == []


def _survives(daemon: Place, here: Node, steps: int) -> bool:
    module = ("tests.support.node.interrupted", "kill", str(steps))
    daemon.start("--log-level", "warning", module=module)
    daemon.call("DEL", here.sandbox.path, container=f"c{steps - EACH}", conf=CONF)
    assert leftovers(daemon, here) == [], f"killed at step {steps - EACH}\n{daemon.log}"
    try:
        for verb in ("ADD", "DEL"):
            daemon.call(verb, here.sandbox.path, container=f"c{steps}", conf=CONF)
    except DiedError:
        assert daemon.process is not None
        daemon.process.wait(10)
        return False
    daemon.kill()
    return True


@pytest.mark.parametrize("how", ["fail", "cancel"])
def test_an_add_that_ends_at_any_step_leaves_nothing_and_needs_no_del(
    daemon: Place, here: Node, how: str
) -> None:
    """One life: every ADD ends one step later than the one before."""
    daemon.default_network(chain(daemon))
    daemon.start("--log-level", "error", module=("tests.support.node.interrupted", how, "0"))
    steps = 0
    while not _goes_through(daemon, here):
        assert leftovers(daemon, here) == [], f"{how} at step {steps}\n{daemon.log}"
        steps += 1
    assert steps > 20, "the steps of the ADD were not seen"
    found = leftovers(daemon, here)
    assert len(found) > 20, found


def _goes_through(daemon: Place, here: Node) -> bool:
    try:
        daemon.call("ADD", here.sandbox.path, conf=CONF)
    except (CniError, DiedError):
        return False
    return True
