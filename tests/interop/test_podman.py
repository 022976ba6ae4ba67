"""A real client without Kubernetes: containers of podman get the planes of a namespace."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.node.conftest import prepared
from tests.support.command_line import netplane
from tests.support.node.netns import why_no_link_kind, why_no_reference
from tests.support.node.node import LiveNode, addresses_in, eventually
from tests.support.node.podman import Podman, podman, why_no_podman
from tests.support.node.shim import STRICT, compile_shim, compiler

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

PORT = 18080
DOCUMENT = Path(__file__).parents[2] / "docs" / "standalone.md"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNode]:
    reason = why_no_link_kind("macvlan") or why_no_reference("bridge") or why_no_podman()
    if reason:
        pytest.skip(reason)
    cc = compiler()
    if cc is None:
        pytest.skip("no C compiler: install gcc")
    home = tmp_path_factory.mktemp("node")
    shim = compile_shim(home / "netplane", *STRICT, "-static", cc=cc)
    with prepared(home / "n", shim) as made:
        network = made.conf_dir / "10-cluster.conflist"
        conflist = json.loads(network.read_text())
        conflist["plugins"].append({"type": "portmap", "capabilities": {"portMappings": True}})
        network.write_text(json.dumps(conflist))
        made.start()
        yield made


@pytest.fixture
def client(node: LiveNode) -> Iterator[Podman]:
    variables = {
        "NETPLANE_SOCKET": str(node.socket),
        "NETPLANE_STATE_DIR": str(node.state),
    }
    with podman(node.shim, variables) as made:
        for name, conflist in _documented().items():
            made.network(name, conflist)
        yield made
    assert node.remains() == []


def test_a_container_gets_the_planes_of_the_namespace(node: LiveNode, client: Podman) -> None:
    with _running(client, "shop") as name:
        assert _interfaces(client, name).keys() == {"eth0", "net1", "san0"}


def test_planes_are_chosen_by_name(node: LiveNode, client: Podman) -> None:
    with _running(client, "business-only") as name:
        assert _interfaces(client, name).keys() == {"eth0"}


def test_podman_knows_the_address_of_the_default_network(node: LiveNode, client: Podman) -> None:
    with _running(client, "shop") as name:
        told = client.run(
            "inspect", name, "--format", "{{.NetworkSettings.Networks.shop.IPAddress}}"
        )
        assert _interfaces(client, name)["eth0"].split("/")[0] == told.strip()


def test_the_status_of_a_container_is_in_the_state_directory(
    node: LiveNode, client: Podman
) -> None:
    with _running(client, "shop") as name:
        told = {one["interface"]: one["ips"][0] for one in node.status_of(name)}
        found = {key: value.split("/")[0] for key, value in _interfaces(client, name).items()}
        assert told == found


def test_two_containers_reach_each_other_on_a_plane(node: LiveNode, client: Podman) -> None:
    with _running(client, "shop") as first, _running(client, "shop") as second:
        address = _interfaces(client, second)["net1"].split("/")[0]
        client.inside(first, "ping", "-c", "1", "-W", "2", address)


def test_a_container_that_is_removed_leaves_nothing(node: LiveNode, client: Podman) -> None:
    with _running(client, "shop") as name:
        assert node.remains(seconds=0) != []
        client.run("rm", "-f", "-t", "0", name)
        assert node.remains() == []


def test_a_container_that_ends_leaves_nothing(node: LiveNode, client: Podman) -> None:
    """Podman cleans up from another process, which knows containers.conf only."""
    with _running(client, "shop") as name:
        client.run("kill", name)
        client.run("wait", name)
        assert node.remains(seconds=15) == []


def test_a_published_port_of_the_machine_reaches_the_container(
    node: LiveNode, client: Podman
) -> None:
    """With the conflist as documented; and its rules go with the container."""
    page = ("sh", "-c", "echo from inside >/tmp/index.html; exec httpd -f -p 8080 -h /tmp")
    done = client.start("c-web", "shop", "-p", f"{PORT}:8080", command=page)
    assert done.returncode == 0, done.stderr
    try:
        (gateway,) = addresses_in(node.host)["cni0"]
        url = f"http://{gateway.split('/')[0]}:{PORT}/index.html"
        asked = ("curl", "-s", "-m", "5", url)
        eventually(lambda: "from inside" in node.host.run("sh", "-c", f"{' '.join(asked)} || true"))
    finally:
        client.run("rm", "-f", "-t", "0", "c-web")
    for listed in (("iptables-save", "-t", "nat"), ("nft", "list", "ruleset")):
        assert str(PORT) not in node.host.run(*listed)


def test_a_port_that_nothing_would_map_is_refused(node: LiveNode, client: Podman) -> None:
    done = client.start("c-lost", "business-only", "-p", f"{PORT}:8080")
    assert done.returncode != 0
    assert f"cannot map port {PORT}/tcp of the node: there is no default network" in done.stderr
    assert "leave portMappings out of this one's capabilities" in done.stderr


def test_beside_a_network_that_maps_ports_planes_are_a_network_without_the_capability(
    node: LiveNode, client: Podman
) -> None:
    """Podman offers the ports to every network that declares it."""
    client.network("planes-beside", _conflist("planes-beside", planes=["storage"], delegate={}))
    done = client.start("c-two", "shop,planes-beside", "-p", f"{PORT}:8080")
    assert done.returncode == 0, done.stderr
    client.run("rm", "-f", "-t", "0", "c-two")


def test_an_address_and_a_mac_are_given_on_a_plane(node: LiveNode, client: Podman) -> None:
    asked = ("--ip", "192.168.100.30", "--mac-address", "02:00:00:00:00:30")
    with _running(client, "business-only", *asked) as name:
        assert _interfaces(client, name) == {"eth0": "192.168.100.30/16"}
        assert "02:00:00:00:00:30" in client.inside(name, "ip", "link", "show", "eth0")


@pytest.mark.parametrize(
    ("options", "network", "reason"),
    [
        (("--ip", "192.168.10.7"), "business-only", "business does not give it out as a static"),
        (("--ip", "10.250.0.9"), "business-only", "it is outside plane business"),
        (("--ip", "10.250.0.9"), "shop", "ask for addresses inside the ranges"),
        (("--mac-address", "01:00:5e:00:00:01"), "business-only", "it is a multicast address"),
        (("--mac-address", "01:00:5e:00:00:01"), "shop", "it is a multicast address"),
    ],
)
def test_an_address_or_a_mac_that_nobody_can_give_is_refused(
    node: LiveNode, client: Podman, options: tuple[str, ...], network: str, reason: str
) -> None:
    done = client.start("c-refused", network, *options)
    assert done.returncode != 0
    assert reason in done.stderr
    assert _listed(node) == []


def test_containers_are_listed_beside_pods(node: LiveNode, client: Podman) -> None:
    with _running(client, "shop") as name:
        (shown,) = _listed(node)
        (long,) = client.run("ps", "--no-trunc", "-q").split()
        assert (shown["name"], shown["containerID"], shown["networks"]) == (name, long, ["shop"])
        told = {one["interface"]: one["ips"][0] for one in shown["interfaces"]}
        found = {key: value.split("/")[0] for key, value in _interfaces(client, name).items()}
        assert told == found
    client.run("rm", "-f", "-t", "0", name)
    assert _listed(node) == []


def test_a_container_that_is_restarted_is_attached_once(node: LiveNode, client: Podman) -> None:
    with _running(client, "shop") as name:
        client.run("restart", "-t", "0", name)
        eventually(lambda: len(_listed(node)) == 1)
        assert _interfaces(client, name).keys() == {"eth0", "net1", "san0"}
        client.run("rm", "-f", "-t", "0", name)
    assert node.remains() == []


def test_a_network_that_is_disconnected_leaves_nothing(node: LiveNode, client: Podman) -> None:
    with _running(client, "shop") as name:
        client.run("network", "connect", "business-only", name)
        assert _interfaces(client, name).keys() == {"eth0", "eth1", "net1", "san0"}
        client.run("network", "disconnect", "business-only", name)
        assert _interfaces(client, name).keys() == {"eth0", "net1", "san0"}
        client.run("network", "disconnect", "shop", name)
        assert _interfaces(client, name).keys() == set()
        assert node.remains() == []


def test_an_unknown_namespace_is_told_to_the_user(node: LiveNode, client: Podman) -> None:
    client.network("wrong", _conflist("wrong", namespace="nope"))
    done = client.start("c-wrong", "wrong")
    assert done.returncode != 0
    assert 'there is no namespace "nope" among the manifests' in done.stderr


def test_the_documented_commands_work(node: LiveNode, client: Podman) -> None:
    (block,) = re.findall(r"^## podman\n.*?```shell\n(.*?)```", DOCUMENT.read_text(), re.S | re.M)
    done = client.script(
        block,
        NETPLANE_MANIFESTS=str(node.manifests),
        NETPLANE_STATE_DIR=str(node.state),
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(
        r"^default/db +\S+ +Attached +eth0 +business +192\.168\.100\.30$", done.stdout, re.M
    ), done.stdout
    assert re.search(r"^shop/web +\S+ +Attached +eth0 ", done.stdout, re.M)
    assert done.stdout.endswith("no pods\n")


@contextmanager
def _running(client: Podman, network: str, *options: str) -> Iterator[str]:
    name = f"c{len(client.run('ps', '-a', '-q').split())}"
    done = client.start(name, network, *options)
    assert done.returncode == 0, done.stderr
    yield name


def _listed(node: LiveNode) -> list[Any]:
    """Return what `netplane pod list` shows of this node."""
    places = ("--manifests", str(node.manifests), "--state-dir", str(node.state))
    found: list[Any] = netplane("pod", "list", *places, "-o", "json").json
    return found


def _interfaces(client: Podman, name: str) -> dict[str, str]:
    """Return the first IPv4 address of each interface in a container, as its own tools show it."""
    found: dict[str, str] = {}
    for block in re.split(r"^\d+: ", client.inside(name, "ip", "addr"), flags=re.M)[1:]:
        ifname = re.split(r"[@:]", block)[0]
        address = re.search(r"inet (\S+)", block)
        if ifname != "lo" and address is not None:
            found[ifname] = address[1]
    return found


def _conflist(name: str, **keys: object) -> dict[str, object]:
    plugin = {"type": "netplane", **keys}
    return {"cniVersion": "1.0.0", "name": name, "plugins": [plugin]}


def _documented() -> dict[str, dict[str, object]]:
    """Return the conflists that the documentation shows, by name."""
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), flags=re.S)
    found = [json.loads(block) for block in blocks]
    return {one["name"]: one for one in found if "plugins" in one}
