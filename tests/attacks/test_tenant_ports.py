"""A tenant maps ports of the node to its pod: those of the node's services, or of other pods."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import closing, suppress
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from cni.host.listening_sockets import ListeningSocket, ProcListeningSockets
from cni.planning.host_ports import host_ports
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import Conflict, PlanesError
from planes.model.objects import Nad, Namespace, Pod
from planes.model.wire.netconf import parse_conflist
from tests.cni.runtime_scene import bench
from tests.support.cni.exec import PluginCall, ok, plain
from tests.support.cni.runtime import Bench
from tests.support.store import FakeStore

JsonObject = dict[str, Any]

NAD = {
    "cniVersion": "1.0.0",
    "name": "own",
    "plugins": [{"type": "two"}, {"type": "meta", "capabilities": {"portMappings": True}}],
}
OTHER = "/run/netns/other"
ANY = str(IPv4Address(0))


def mapping(port: int, **more: Any) -> JsonObject:
    return {"hostPort": port, "containerPort": 80, **more}


def pod(name: str, *mappings: JsonObject) -> Pod:
    element = {"name": "own", "portMappings": list(mappings)} if mappings else {"name": "own"}
    networks = json.dumps([element])
    return Pod("shop", name, annotations={"k8s.v1.cni.cncf.io/networks": networks})


async def node(root: Path, *pods: Pod, nad: JsonObject | None = None) -> Bench:
    store = FakeStore(
        namespaces=[Namespace("shop")],
        nads=[Nad("shop", "own", json.dumps(nad or NAD))],
        pods=list(pods),
    )
    made = await bench(root, store)
    made.kernel.sandboxes[OTHER] = (43, {"lo"})
    return made


async def second(made: Bench, name: str = "thief", **more: Any) -> JsonObject:
    return await made.call("ADD", pod=f"shop/{name}", container="c2", netns=OTHER, **more)


KUBELET = ListeningSocket("tcp", 10250, None, "kubelet (pid 7)")


async def test_tenant_cannot_map_the_port_of_a_service_of_the_node(tmp_path: Path) -> None:
    made = await node(tmp_path, pod("web", mapping(10250)))
    made.listeners.found = [KUBELET]
    with pytest.raises(Conflict) as caught:
        await made.call("ADD")
    assert caught.value.message == (
        "cannot map port 10250/tcp of the node: process kubelet (pid 7) of the node listens on it"
    )
    assert made.exec.calls == []
    assert len(made.journal) == 0


async def test_tenant_host_port_is_kept_from_a_service_of_the_node(tmp_path: Path) -> None:
    """`hostPort` of a container comes from the runtime, for the default network."""
    made = await node(tmp_path, pod("web"))
    made.listeners.found = [KUBELET]
    with pytest.raises(Conflict, match="kubelet"):
        await made.call("ADD", conf={"runtimeConfig": {"portMappings": [mapping(10250)]}})


async def test_tenant_configuration_that_maps_by_itself_is_seen(tmp_path: Path) -> None:
    """Portmap reads `runtimeConfig` from its configuration, in any spelling, undeclared."""
    nad = {
        "cniVersion": "1.0.0",
        "name": "own",
        "plugins": [
            {"type": "two"},
            {"type": "meta", "RuntimeConfig": {"PORTMAPPINGS": [{"HostPort": 10250}]}},
        ],
    }
    made = await node(tmp_path, pod("web"), nad=nad)
    made.listeners.found = [KUBELET]
    with pytest.raises(Conflict, match="kubelet"):
        await made.call("ADD")


async def test_tenant_configuration_that_delegates_to_portmap_is_seen(tmp_path: Path) -> None:
    """Flannel runs whatever its `delegate` names, with the configuration that stands there."""
    delegate = {"type": "portmap", "runtimeConfig": {"portMappings": [mapping(10250)]}}
    nad = {"cniVersion": "1.0.0", "name": "own", "type": "two", "delegate": delegate}
    made = await node(tmp_path, pod("web"), nad=nad)
    made.listeners.found = [KUBELET]
    with pytest.raises(Conflict, match="kubelet"):
        await made.call("ADD")


@pytest.mark.parametrize(
    ("asked", "bound", "clashes"),
    [
        ({}, None, True),
        ({}, "127.0.0.1", True),
        ({}, "::1", True),
        ({"hostIP": ANY}, "192.0.2.1", True),
        ({"hostIP": "192.0.2.1"}, "192.0.2.1", True),
        ({"hostIP": "192.0.2.1"}, None, True),
        ({"hostIP": "192.0.2.1"}, "192.0.2.2", False),
        ({"hostIP": "192.0.2.1"}, "127.0.0.1", False),
        ({"protocol": "TCP"}, None, True),
        ({"protocol": "6"}, None, True),
        ({"protocol": "0x6"}, None, True),
        ({"protocol": "UDP"}, None, False),
    ],
)
async def test_what_clashes_with_a_listener_is_what_would_take_its_packets(
    tmp_path: Path, asked: JsonObject, bound: str | None, clashes: bool
) -> None:
    made = await node(tmp_path, pod("web", mapping(9000, **asked)))
    made.listeners.found = [ListeningSocket("tcp", 9000, ip_address(bound) if bound else None)]
    if clashes:
        with pytest.raises(Conflict, match="a process of the node listens on it"):
            await made.call("ADD")
    else:
        await made.call("ADD")


async def test_tenant_cannot_map_the_port_of_another_pod(tmp_path: Path) -> None:
    made = await node(tmp_path, pod("web"), pod("thief", mapping(8080, hostIP="192.0.2.1")))
    await made.call("ADD", conf={"runtimeConfig": {"portMappings": [mapping(8080)]}})
    with pytest.raises(Conflict, match=r"192\.0\.2\.1:8080/tcp of the node: pod shop/web has it"):
        await second(made)
    await made.call("DEL")
    await second(made)


async def test_of_two_pods_that_want_a_port_at_once_one_gets_it(tmp_path: Path) -> None:
    made = await node(tmp_path, pod("web", mapping(8080)), pod("thief", mapping(8080)))
    outcomes = await asyncio.gather(made.call("ADD"), second(made), return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["Conflict", "dict"]
    assert len(made.journal) == 1


async def test_a_port_stays_taken_until_its_rules_are_gone(tmp_path: Path) -> None:
    """A DEL that could not be carried out has left the mapping where it was."""
    made = await node(tmp_path, pod("web", mapping(8080)), pod("thief", mapping(8080)))
    await made.call("ADD")

    async def stuck(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        return ok() if call.verb != "DEL" else await _failing(call)

    made.exec.scripts["meta"] = stuck
    for _ in range(3):
        with suppress(PlanesError):  # whatever is answered, the rules are there
            await made.call("DEL")
    with pytest.raises(Conflict, match="pod shop/web has it"):
        await second(made)


async def test_a_new_sandbox_of_a_pod_has_the_pods_own_ports(tmp_path: Path) -> None:
    made = await node(tmp_path, pod("web", mapping(8080)))
    await made.call("ADD")
    await second(made, "web")


async def test_pods_without_mapped_ports_cost_no_look(tmp_path: Path) -> None:
    made = await node(tmp_path, pod("web"))
    await made.call("ADD")
    assert made.listeners.asked == 0


def test_mappings_that_no_plugin_is_passed_take_no_port() -> None:
    conflist = parse_conflist({"cniVersion": "1.0.0", "name": "n", "type": "two"})
    given = {"portMappings": [mapping(10250)]}
    one = PlannedAttachment("n", conflist, "eth0", capability_args=given)
    assert host_ports(one) == ()


def test_what_is_no_mapping_takes_no_port() -> None:
    plugin = {
        "type": "two",
        "runtimeConfig": {"portMappings": [7, {}, mapping(0), {"hostPort": True}]},
    }
    conflist = parse_conflist({"cniVersion": "1.0.0", "name": "n", **plugin})
    assert host_ports(PlannedAttachment("n", conflist, "eth0")) == ()


@pytest.mark.parametrize(
    ("family", "kind", "host", "address"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, socket.SOCK_STREAM, ANY, None),
        (socket.AF_INET6, socket.SOCK_STREAM, "::1", "::1"),
        (socket.AF_INET6, socket.SOCK_STREAM, "::", None),
        (socket.AF_INET6, socket.SOCK_STREAM, "::ffff:127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, socket.SOCK_DGRAM, "::1", "::1"),
    ],
)
async def test_listeners_of_the_kernel_are_seen_with_their_process(
    family: int, kind: int, host: str, address: str | None
) -> None:
    with closing(socket.socket(family, kind)) as one:
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        one.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            one.listen()
        port = one.getsockname()[1]
        protocol = "tcp" if kind == socket.SOCK_STREAM else "udp"
        found = await ProcListeningSockets().on({(protocol, port)})
    assert [(each.port, each.protocol) for each in found] == [(port, protocol)]
    assert str(found[0].address) == str(address)
    assert "(pid " in found[0].process
    other = "udp" if protocol == "tcp" else "tcp"
    assert await ProcListeningSockets().on({(other, port)}) == ()


async def test_connections_are_no_listeners() -> None:
    """Many of them cost no more than a few: TCP tables begin with what listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            own = client.getsockname()[1]
            assert await ProcListeningSockets().on({("tcp", own)}) == ()
            assert len(await ProcListeningSockets().on({("tcp", port)})) == 1


async def _failing(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
    done = await plain(call)
    return type(done)(1, b"", b"cannot")


async def test_tenant_ports_in_any_number_are_compared_in_one_pass(tmp_path: Path) -> None:
    """Thousands of mappings on both sides, all of one port: nothing is compared pair by pair."""

    def mapped(octet: int) -> JsonObject:
        addresses = [f"10.{octet}.{at // 250}.{at % 250 + 1}" for at in range(5_000)]
        return {
            "runtimeConfig": {"portMappings": [mapping(8080, hostIP=each) for each in addresses]}
        }

    made = await node(tmp_path, pod("web"), pod("thief"), pod("late"))
    late = "/run/netns/late"
    made.kernel.sandboxes[late] = (44, {"lo"})
    async with asyncio.timeout(20):
        await made.call("ADD", conf=mapped(1))
        await second(made, conf=mapped(2))
        with pytest.raises(Conflict, match="pod shop/web has it"):
            await made.call("ADD", pod="shop/late", container="c3", netns=late, conf=mapped(1))


async def test_a_holder_is_searched_for_once(tmp_path: Path) -> None:
    """A pod that is refused again and again costs no walk through all processes each time."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        inode = os.readlink(f"/proc/self/fd/{server.fileno()}").strip("socket:[]")
        address = f"0100007F:{server.getsockname()[1]:04X}"
        row = f"0: {address} 00000000:0000 0A 0:0 0:0 0 0 0 {inode} 1"
        process = tmp_path / "7"
        (tmp_path / "self/net").mkdir(parents=True)
        (tmp_path / "self/net/tcp").write_text(f"header\n{row}\n")
        (process / "fd").mkdir(parents=True)
        (process / "comm").write_text("kubelet\n")
        (process / "fd" / "3").symlink_to(f"socket:[{inode}]")
        listeners = ProcListeningSockets(tmp_path)
        port = ("tcp", server.getsockname()[1])
        first = await listeners.on({port})
        earlier = tmp_path / "6" / "fd"
        earlier.mkdir(parents=True)
        (earlier / "3").symlink_to(f"socket:[{inode}]")
        assert await listeners.on({port}) == first
        assert first[0].process == "kubelet (pid 7)"
        (process / "fd" / "3").unlink()
        assert (await listeners.on({port}))[0].process == "pid 6"
