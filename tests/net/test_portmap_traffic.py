"""Port mappings carry packets: from another node, from the node, and from the pod itself."""

from __future__ import annotations

import socket

import pytest

from cni.net.kernel import Kernel
from tests.support.node.filters import (
    FAR,
    HOST,
    POD,
    call,
    connects,
    mapping,
    portmap,
    server,
    socket_in,
    wire,
)
from tests.support.node.netns import Node
from tests.support.node.plugins import Ours, ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

backends = pytest.mark.parametrize("backend", ["iptables", "nftables"])
families = pytest.mark.parametrize("version", [4, 6])
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


@pytest.fixture
def pod(a_node: Node) -> Node:
    wire(a_node)
    return a_node


@pytest.fixture
def native(kernel: Kernel) -> Ours:
    return ours(kernel)


@backends
@families
async def test_another_node_reaches_the_port(
    pod: Node, native: Ours, backend: str, version: int
) -> None:
    """The pod sees the client's own address; after DEL nothing answers."""
    conf = portmap(mapping(8080, 80), backend=backend)
    await native.add(call(pod), conf)
    with server(pod.sandbox, POD[version], 80, TCP) as listener:
        assert connects(pod.far, HOST[version], 8080, listener) == FAR[version]
        await native.delete(call(pod), conf)
        with pytest.raises(ConnectionRefusedError):
            connects(pod.far, HOST[version], 8080, listener)


@backends
@families
async def test_the_node_reaches_the_port_by_its_address(
    pod: Node, native: Ours, backend: str, version: int
) -> None:
    await native.add(call(pod), portmap(mapping(8080, 80), backend=backend))
    with server(pod.sandbox, POD[version], 80, TCP) as listener:
        connects(pod.host, HOST[version], 8080, listener)


@backends
async def test_the_node_reaches_the_port_on_localhost(
    pod: Node, native: Ours, backend: str
) -> None:
    """The pod sees the address of its gateway, since it could not answer 127.0.0.1."""
    await native.add(call(pod), portmap(mapping(8080, 80), backend=backend))
    with server(pod.sandbox, POD[4], 80, TCP) as listener:
        assert connects(pod.host, "127.0.0.1", 8080, listener) == "10.88.0.1"
    assert pod.host.sysctl("ipv4/conf/br0/route_localnet") == "1"


@backends
@families
async def test_the_pod_reaches_its_own_port(
    pod: Node, native: Ours, backend: str, version: int
) -> None:
    await native.add(call(pod), portmap(mapping(8080, 80), backend=backend))
    with server(pod.sandbox, POD[version], 80, TCP) as listener:
        connects(pod.sandbox, HOST[version], 8080, listener)


@backends
async def test_all_clients_are_masqueraded_on_request(
    pod: Node, native: Ours, backend: str
) -> None:
    await native.add(call(pod), portmap(mapping(8080, 80), backend=backend, masqAll=True))
    with server(pod.sandbox, POD[4], 80, TCP) as listener:
        assert connects(pod.far, HOST[4], 8080, listener) == "10.88.0.1"


@backends
async def test_a_mapping_of_one_address_is_for_that_address_only(
    pod: Node, native: Ours, backend: str
) -> None:
    pod.host.ip("addr", "add", "192.0.2.9/24", "dev", "eth1")
    await native.add(call(pod), portmap(mapping(8080, 80, address="192.0.2.9"), backend=backend))
    with server(pod.sandbox, POD[4], 80, TCP) as listener:
        connects(pod.far, "192.0.2.9", 8080, listener)
        with pytest.raises(ConnectionRefusedError):
            connects(pod.far, HOST[4], 8080, listener)


@pytest.mark.parametrize(
    ("backend", "words"),
    [("iptables", ["-s", "192.0.2.77"]), ("nftables", ["ip", "saddr", "192.0.2.77"])],
)
async def test_conditions_are_for_the_mappings_of_their_netconf(
    pod: Node, native: Ours, backend: str, words: list[str]
) -> None:
    """A client that does not meet them is refused, and reaches the port of another container."""
    strict = portmap(mapping(8080, 80), backend=backend, conditionsV4=words)
    free = portmap(mapping(8081, 80), backend=backend)
    pod.far.ip("addr", "add", "192.0.2.77/24", "dev", "eth1")
    await native.add(call(pod, "c1"), free)
    await native.add(call(pod, "c2"), strict)
    with server(pod.sandbox, POD[4], 80, TCP) as listener:
        connects(pod.far, HOST[4], 8081, listener)
        with pytest.raises(ConnectionRefusedError):
            connects(pod.far, HOST[4], 8080, listener)
        pod.far.ip("route", "add", f"{HOST[4]}/32", "dev", "eth1", "src", "192.0.2.77")
        connects(pod.far, HOST[4], 8080, listener)


@backends
@families
async def test_a_udp_client_follows_the_mapping_to_another_container(
    pod: Node, native: Ours, backend: str, version: int
) -> None:
    """Without forgetting its connection the kernel would send its packets to the first one."""
    first = portmap(mapping(5353, 53, "udp"), backend=backend)
    second = portmap(mapping(5353, 54, "udp"), backend=backend)
    await native.add(call(pod, "c1"), first)
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with (
        server(pod.sandbox, POD[version], 53, UDP) as old,
        server(pod.sandbox, POD[version], 54, UDP) as new,
        socket_in(pod.far, family, UDP) as client,
    ):
        client.connect((HOST[version], 5353))
        client.send(b"one")
        received, peer = old.recvfrom(16)
        assert (received, peer[0]) == (b"one", FAR[version])
        old.sendto(b"answer", peer)
        assert client.recv(16) == b"answer"
        await native.delete(call(pod, "c1"), first)
        await native.add(call(pod, "c2"), second)
        client.send(b"two")
        assert new.recv(16) == b"two"
