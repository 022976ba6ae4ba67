"""Calls that no runtime should make: the right code, a clear message, nothing left."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.node.netns import Namespace
from tests.support.node.node import LiveNode, addresses_in, netconf

pytestmark = pytest.mark.kernel

NETCONFS: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"hunter2", 6, "line 1, column 1"),
    "nothing": (b"", 6, "cannot read the network configuration"),
    "cut off": (b'{"name": "hunter2", ', 6, "line 1"),
    "a list": (b"[]", 6, "it must be an object, not a list"),
    "no UTF-8": (b'{"name":"\xff\xfe"}', 6, "UTF-8"),
    "nested too deep": (b"[" * 100_000, 6, "depth"),
    "a version nobody knows": (
        json.dumps(netconf(cniVersion="9.9.9")).encode(),
        1,
        'cniVersion "9.9.9"',
    ),
    "a version of another type": (
        json.dumps(netconf(cniVersion=1)).encode(),
        6,
        "cniVersion must be a string",
    ),
    "no name": (b'{"cniVersion":"1.0.0","type":"netplane"}', 7, "without name"),
    "a name with a slash": (json.dumps(netconf(name="a/b")).encode(), 7, '"a/b"'),
    "10 MB": (b" " * 10_000_000, 6, "larger than 8 MiB"),
}


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK"])
@pytest.mark.parametrize("name", NETCONFS)
def test_a_bad_netconf_is_refused_without_showing_it(
    node: LiveNode, sandbox: Namespace, name: str, verb: str
) -> None:
    stdin, code, named = NETCONFS[name]
    error = node.call(verb, "c1", sandbox, stdin=stdin).error
    assert error["code"] == code
    assert named in error["msg"]
    assert "hunter2" not in json.dumps(error)
    assert addresses_in(sandbox) == {}


KEYS: dict[str, tuple[dict[str, Any], int, str]] = {
    "an unknown namespace": ({"namespace": "nope"}, 7, '"nope"'),
    "an unknown plane": ({"planes": ["nope"]}, 7, "choose among business, storage"),
    "planes that are no list": ({"planes": "business"}, 6, "planes must be a list"),
    "a delegate that is no object": ({"delegate": "x"}, 6, "delegate must be an object"),
    "a delegate that is ourselves": (
        {"delegate": {"type": "netplane", "name": "x"}},
        7,
        "would call us again",
    ),
    "a delegate nobody can carry out": (
        {"delegate": {"type": "no-such", "name": "x"}},
        7,
        "no-such",
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_of_ours_that_makes_no_sense_is_named(
    node: LiveNode, sandbox: Namespace, name: str
) -> None:
    keys, code, named = KEYS[name]
    error = node.call("ADD", "c1", sandbox, stdin=netconf(**keys)).error
    assert error["code"] == code
    assert named in error["msg"] + error.get("details", "")
    assert addresses_in(sandbox) == {}


def test_the_largest_netconf_is_served(node: LiveNode, sandbox: Namespace) -> None:
    asked = netconf(delegate={}, planes=["business"], padding="")
    asked["padding"] = "x" * ((8 << 20) - len(json.dumps(asked)))
    assert node.call("ADD", "c1", sandbox, stdin=asked).status == 0
    assert node.call("DEL", "c1", sandbox, stdin=asked).status == 0


@pytest.mark.parametrize("kind", ["missing", "file", "directory", "device", "other namespace"])
def test_a_netns_path_that_is_no_network_namespace_is_code_8(
    node: LiveNode, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "file").write_text("")
    path = {
        "missing": "/run/netns/np-t-never-made",
        "file": str(tmp_path / "file"),
        "directory": str(tmp_path),
        "device": "/dev/null",
        "other namespace": "/proc/self/ns/mnt",
    }[kind]
    error = node.call("ADD", "c1", path, stdin=netconf(namespace="shop")).error
    assert error["code"] == 8
    assert path in error["msg"]
    assert "ip netns add" in error["details"]
    assert node.call("DEL", "c1", path).status == 0


VARIABLES: dict[str, tuple[dict[str, str], str]] = {
    "container ID with a slash": ({"CNI_CONTAINERID": "a/b"}, '"a/b"'),
    "container ID that climbs": ({"CNI_CONTAINERID": "../../etc"}, '"../../etc"'),
    "container ID with a line break": ({"CNI_CONTAINERID": "a\nb"}, "CNI_CONTAINERID"),
    "no container ID": ({"CNI_CONTAINERID": ""}, "[CNI_CONTAINERID] missing"),
    "no path of plugins": ({"CNI_PATH": ""}, "[CNI_PATH] missing"),
    "no namespace": ({"CNI_NETNS": ""}, "[CNI_NETNS] missing"),
    "interface name too long": ({"CNI_IFNAME": "much-too-long-name"}, '"much-too-long-name"'),
    "interface name with a slash": ({"CNI_IFNAME": "a/b"}, '"a/b"'),
    "arguments garbled": ({"CNI_ARGS": "nonsense"}, '"nonsense"'),
    "a verb nobody knows": ({"CNI_COMMAND": "FROB"}, "FROB"),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_bad_variable_is_code_4(node: LiveNode, sandbox: Namespace, name: str) -> None:
    variables, named = VARIABLES[name]
    env = node.env("ADD", "c1", sandbox) | variables
    error = node.run(env, netconf(namespace="shop")).error
    assert error["code"] == 4
    assert named in error["msg"]
    assert addresses_in(sandbox) == {}


def test_a_container_id_of_60_kb_leaves_nothing(node: LiveNode, sandbox: Namespace) -> None:
    """Whatever comes of it: undone means undone."""
    long = "a" * 60_000
    node.call("ADD", long, sandbox)
    assert node.call("DEL", long, sandbox).status == 0
    assert addresses_in(sandbox) == {}


@pytest.mark.parametrize("bytes_sent", [0, 1, 40, 200, -1])
def test_a_socket_closed_in_the_middle_of_a_request_leaves_nothing(
    node: LiveNode, sandbox: Namespace, bytes_sent: int
) -> None:
    request = _request(node, sandbox, netconf(namespace="shop"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(str(node.socket))
        peer.sendall(request[:bytes_sent])
    assert node.call("STATUS", "", stdin=netconf(cniVersion="1.1.0")).status == 0
    assert addresses_in(sandbox) == {}
    assert "Traceback" not in node.log_text()


def test_a_caller_that_goes_before_the_answer_is_as_if_it_never_came_or_can_del(
    node: LiveNode, sandbox: Namespace
) -> None:
    """A runtime that died in the middle DELs what it began; nothing may be left then."""
    request = _request(node, sandbox, netconf(namespace="shop"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(str(node.socket))
        peer.sendall(request)
    assert node.call("DEL", "c1", sandbox).status == 0
    assert addresses_in(sandbox) == {}
    assert "Traceback" not in node.log_text()


def _request(node: LiveNode, sandbox: Namespace, conf: dict[str, Any]) -> bytes:
    """Return the bytes of an ADD as the shim sends them."""
    body = json.dumps(conf).encode()
    env = node.env("ADD", "c1", sandbox)
    headers = {
        "Cni-Command": "ADD",
        "Cni-Containerid": "c1",
        "Cni-Netns": sandbox.path,
        "Cni-Ifname": "eth0",
        "Cni-Path": env["CNI_PATH"],
        "Content-Length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /v1/cni HTTP/1.1\r\nHost: netplane\r\n{head}\r\n".encode() + body
