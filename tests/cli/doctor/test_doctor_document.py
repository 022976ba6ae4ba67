"""What docs/doctor.md shows is what its commands print, in their order."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from planes.cli.console import Console
from planes.cli.doctor.checkup import examine
from planes.cli.doctor.command import report
from planes.cli.doctor.node import node_checks
from planes.cli.doctor.node_facts import NodeFacts, NodePlaces
from planes.cli.doctor.outside import outside_checks
from planes.kube.resources import PODS
from planes.model.names import PLANE_HEALTH_ANNOTATION
from planes.model.state.plane_health import Health, encode_report
from tests.cli.doctor.doctored_node import doctored_node
from tests.cli.doctor.test_cluster_node import NOW, Cluster, daemon_pod
from tests.support.command_line import Terminal
from tests.support.node.netns import run, unchanged_links, why_no_link_kind

TEXT = (Path(__file__).parents[3] / "docs/doctor.md").read_text()
PLACES = {
    "/var/lib/netplane": "state",
    "/run/netplane/cni.sock": "sock",
    "/etc/cni/net.d": "net.d",
    "/var/lib/cni": "cni",
    "/etc/netplane/manifests": "manifests",
    "/opt/cni/bin": "bin",
}
VARIABLES = {
    "NETPLANE_STATE_DIR": "/var/lib/netplane",
    "NETPLANE_SOCKET": "/run/netplane/cni.sock",
    "NETPLANE_CNI_CONF_DIR": "/etc/cni/net.d",
    "NETPLANE_DATA_DIRS": "/var/lib/cni",
    "NETPLANE_MANIFESTS": "/etc/netplane/manifests",
    "NETPLANE_CNI_BIN_DIR": "/opt/cni/bin",
}
EXAMPLES = "".join(re.findall(r"```console\n(.*?)```", TEXT, re.S))
COMMANDS = re.findall(r"^# (.*)\n((?:(?!# ).*\n)*)", EXAMPLES, re.M)
"""Each command with what it prints."""


@pytest.mark.kernel
@pytest.mark.timeout(120)
def test_every_command_prints_what_is_shown(tmp_path: Path) -> None:
    if reason := why_no_link_kind("macvlan"):
        pytest.skip(reason)
    program = f"{sys.executable} -m planes.cli"
    with unchanged_links(), doctored_node(tmp_path) as node:
        for command, shown in COMMANDS:
            names = {**VARIABLES, "NETPLANE_NODE": "node1"}
            variables = " ".join(f"{key}={value}" for key, value in names.items())
            typed = command.replace("netplane doctor", f"{program} doctor")
            # A disk in memory is never slow.
            script = f"mount -t tmpfs none /var/lib/netplane; export {variables}; {typed}"
            for place, folder in PLACES.items():
                script = script.replace(place, f"{tmp_path}/{folder}")
            script = f"({script}) 2>/dev/null || true"
            printed = run("ip", "netns", "exec", node.host.name, "bash", "-c", script)
            for place, folder in PLACES.items():
                printed = printed.replace(f"{tmp_path}/{folder}", place)
            assert printed == shown, command


def test_what_is_shown_from_outside_is_what_is_printed() -> None:
    cluster = Cluster()
    health = Health(5, int(NOW) - 60, 0, 'cannot find master device "eth9"')
    notes = {PLANE_HEALTH_ANNOTATION: encode_report("n1", {"business": health})}
    cluster.kube.put_object(PODS, daemon_pod(restarts=9, annotations=notes))
    left_out = {"clock", "certificates"}
    checks = [one for one in outside_checks(cluster, "n1", lambda: NOW) if one.name not in left_out]
    out = Terminal()
    report(Console(out, Terminal(), {"NO_COLOR": "1"}), "n1", examine(checks))
    (shown,) = re.findall(r"```text\n(.*?)```", TEXT, re.S)
    assert out.getvalue().startswith(shown)


def test_every_check_is_in_the_table() -> None:
    places = NodePlaces(Path(), Path(), Path(), Path(), (), ())
    cluster = Cluster()
    checks = (*node_checks(NodeFacts(places, cluster), "", None), *outside_checks(cluster, "n1"))
    assert {one.name for one in checks} == set(re.findall(r"^\| `(\w+)` \|", TEXT, re.M))
