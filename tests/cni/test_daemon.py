"""The real daemon on a real node: ADD, CHECK and DEL, and what the kernel has then."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from planes.model.wire.status import parse_status
from tests.cni.scene import NOTHING, leftovers, pod_object, set_up
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node, why_no_reference

kernel = pytest.mark.kernel


@kernel
def test_three_networks_come_and_go(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start()
    result = daemon.call("ADD", here.sandbox.path, pod="shop/web")
    assert [link["name"] for link in result["interfaces"]][0::2] == ["cni0", "eth0"]
    status = parse_status((daemon.state / "status" / "shop" / "web.json").read_text())
    assert [(one.name, one.interface) for one in status] == [
        ("cluster", "eth0"),
        ("shop/store", "net1"),
        ("netplane-system/business", "net2"),
    ]
    inside = {
        link["ifname"]: [one["local"] for one in link["addr_info"] if one["family"] == "inet"]
        for link in here.sandbox.ip_json("addr")
    }
    for one in status:
        assert inside[one.interface] == list(one.ips)
    daemon.call("CHECK", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_events_are_on_disk_when_the_daemon_has_ended(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    assert daemon.stop() == 0
    lines = (daemon.state / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in lines] == [
        *["AddedInterface"] * 3,
        "PlaneRepaired",
    ]
    daemon.start()
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_check_sees_an_interface_that_somebody_removed(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    here.sandbox.ip("link", "del", "net2")
    here.sandbox.ip("addr", "flush", "dev", "net1")
    with pytest.raises(CniError) as caught:
        daemon.call("CHECK", here.sandbox.path, pod="shop/web")
    assert "net2" in caught.value.msg
    assert "net1" in caught.value.msg
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_del_with_the_namespace_gone_releases_all_addresses(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start()
    name = f"{here.sandbox.name}x"
    subprocess.run(["ip", "netns", "add", name], check=True)
    daemon.call("ADD", f"/run/netns/{name}", pod="shop/web")
    subprocess.run(["ip", "netns", "del", name], check=True)
    daemon.call("DEL", f"/run/netns/{name}", pod="shop/web")
    deadline = time.monotonic() + 20
    while leftovers(daemon, here) != NOTHING and time.monotonic() < deadline:
        time.sleep(0.05)  # the kernel takes the interfaces down in its own time
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_a_netconf_alone_brings_a_namespaces_planes(daemon: Place, here: Node) -> None:
    """As cnitool calls: no pod in CNI_ARGS, no default network wanted."""
    set_up(daemon)
    daemon.start()
    conf = {"namespace": "shop", "delegate": {}}
    result = daemon.call("ADD", here.sandbox.path, conf=conf)
    assert [link["name"] for link in result["interfaces"]] == ["eth0"]
    assert result["ips"][0]["interface"] == 0
    daemon.call("DEL", here.sandbox.path, conf=conf)
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_the_result_of_the_plugin_before_us_comes_first(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start()
    before = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "eth0", "sandbox": here.sandbox.path}],
        "ips": [{"address": "10.0.0.5/24", "interface": 0}],
    }
    conf = {"cniVersion": "1.0.0", "planes": ["business"], "prevResult": before}
    result = daemon.call("ADD", here.sandbox.path, conf=conf)
    assert [link["name"] for link in result["interfaces"]] == ["eth0", "net1"]
    assert [ip["interface"] for ip in result["ips"]] == [0, 1]
    daemon.call("DEL", here.sandbox.path, conf=conf)
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_the_reference_binaries_do_the_same_work(daemon: Place, here: Node) -> None:
    """All types by exec: plane addresses reach the macvlan binary as static ones."""
    for kind in ("bridge", "macvlan", "host-local", "static"):
        if reason := why_no_reference(kind):
            pytest.skip(reason)
    set_up(daemon)
    daemon.start("--native", "bridge=false,macvlan=false")
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    status = parse_status((daemon.state / "status" / "shop" / "web.json").read_text())
    assert [one.interface for one in status] == ["eth0", "net1", "net2"]
    assert all(one.ips for one in status)
    daemon.call("CHECK", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_the_default_route_goes_where_the_pod_asks(daemon: Place, here: Node) -> None:
    """One is left, status and CHECK agree with the kernel (Multus 4.2.2 to 4.3.0: #1444)."""
    set_up(daemon)
    asked = [{"name": "store", "default-route": ["172.16.0.1"]}]
    daemon.manifest("routed", pod_object("routed", json.dumps(asked)))
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/routed")
    routes = here.sandbox.ip_json("-4", "route", "show", "default")
    assert [(one["gateway"], one["dev"]) for one in routes] == [("172.16.0.1", "net1")]
    status = parse_status((daemon.state / "status" / "shop" / "routed.json").read_text())
    assert [one.gateway for one in status] == [(), ("172.16.0.1",), ()]
    daemon.call("CHECK", here.sandbox.path, pod="shop/routed")
    daemon.call("DEL", here.sandbox.path, pod="shop/routed")
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_a_default_route_that_cannot_be_undoes_everything(daemon: Place, here: Node) -> None:
    set_up(daemon)
    asked = [{"name": "store", "default-route": ["192.0.2.1"]}]
    daemon.manifest("lost", pod_object("lost", json.dumps(asked)))
    daemon.start()
    with pytest.raises(CniError, match=r"192\.0\.2\.1"):
        daemon.call("ADD", here.sandbox.path, pod="shop/lost")
    assert leftovers(daemon, here) == NOTHING


@kernel
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"networks": "store, nowhere"}, 7, "nowhere"),
        ({"networks": '[{"name": '}, 7, "cannot read"),
        ({"networks": "store@much-too-long-name"}, 7, "much-too-long-name"),
        ({"networks": "store@eth0"}, 7, "eth0"),
        (
            {"networks": '[{"name":"business","namespace":"netplane-system","ips":["10.9.0.1"]}]'},
            7,
            "10.9.0.1",
        ),
        (
            {"networks": '[{"name":"business","namespace":"netplane-system","ips":["10.8.0.9"]}]'},
            7,
            "10.8.0.9",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    daemon: Place, here: Node, change: dict[str, str], code: int, words: str
) -> None:
    set_up(daemon)
    daemon.manifest("bad", pod_object("bad", change["networks"]))
    daemon.start()
    with pytest.raises(CniError) as caught:
        daemon.call("ADD", here.sandbox.path, pod="shop/bad")
    assert words in caught.value.msg
    assert caught.value.code in {code, 110, 111}
    daemon.call("DEL", here.sandbox.path, pod="shop/bad")
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_a_file_that_is_no_namespace_is_code_8(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start()
    with pytest.raises(CniError) as caught:
        daemon.call("ADD", str(daemon.directory / "log"), pod="shop/web")
    assert caught.value.code == 8
    assert daemon.call("DEL", str(daemon.directory / "log"), pod="shop/web") == {}


@kernel
@pytest.mark.timeout(120)
def test_memory_stays_flat_and_below_its_bound(daemon: Place, here: Node) -> None:
    """90 MiB resident at rest, and no more after many pods than after a few."""
    set_up(daemon)
    daemon.start("--log-level", "warning")
    sizes = []
    for round_ in range(3):
        for number in range(40):
            name = f"r{round_}n{number}"
            daemon.call("ADD", here.sandbox.path, container=name, pod="shop/web")
            daemon.call("DEL", here.sandbox.path, container=name, pod="shop/web")
        sizes.append(_resident(daemon))
    assert max(sizes) < 90 << 20
    assert sizes[2] - sizes[1] < 2 << 20


def _resident(daemon: Place) -> int:
    assert daemon.process is not None
    text = Path(f"/proc/{daemon.process.pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")
