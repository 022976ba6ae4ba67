"""`netplane doctor` as it is typed: exit status, texts, JSON, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from pathlib import Path

import pytest
from aiohttp import web

from planes.cli.doctor.api_access import ApiAccess, ServerDate, find_access
from planes.cli.doctor.facts.daemon import DaemonState, read_daemon
from planes.cli.doctor.judging.daemon import judge_daemon_state
from planes.kube.api import KubeApi
from planes.kube.resources import NAMESPACES
from planes.model.errors import PlanesError
from tests.cli.doctor.values import only
from tests.support.command_line import netplane
from tests.support.kube.scripted_api import scripted_api


def test_a_node_is_not_looked_at_with_manifests(tmp_path: Path) -> None:
    done = netplane("doctor", "n1", "--manifests", str(tmp_path))
    assert (done.status, "leave NODE out" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["n1/../x", "N1", "a,b=c", "-"])
def test_a_name_of_no_node_is_refused(name: str) -> None:
    done = netplane("doctor", name, "--kubeconfig", "/nowhere")
    assert (done.status, "that is no name of a node" in done.err) == (2, True)


def test_a_node_needs_an_api_server() -> None:
    done = netplane("doctor", "n1", env={"HOME": "/nowhere"})
    assert (done.status, "no API server is known" in done.err) == (2, True)


def test_checks_that_lack_the_same_are_one_line(tmp_path: Path) -> None:
    given = ("--socket", "/nowhere", "--state-dir", str(tmp_path), "--cni-conf-dir", str(tmp_path))
    done = netplane("doctor", *given, env={"HOME": "/nowhere"})
    lines = [line for line in done.out.splitlines() if line.startswith("not checked: ")]
    assert [line.partition(": give --manifests")[0] for line in lines[:1]] == [
        "not checked: networks, masters, mtu, kernel, sysctls, plugins, bridges, uplink: "
        "planes and NADs"
    ]
    assert len({line.split(": ", 2)[2] for line in lines}) == len(lines)


def test_an_api_server_that_cannot_be_asked_is_found_and_leaves_checks_unmade() -> None:
    done = netplane("doctor", "n1", "--kubeconfig", "/nowhere", "-o", "json")
    assert done.status == 1
    assert [one["check"] for one in done.json["findings"]] == ["api"]
    assert done.json["findings"][0]["what"].count("the API server") == 1
    reasons = {one["check"]: one["reason"] for one in done.json["notChecked"]}
    assert "/nowhere" in reasons["node"]


def test_the_api_server_is_found_as_for_the_daemon_or_a_user(tmp_path: Path) -> None:
    pod = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "HOME": str(tmp_path)}
    in_pod, given = find_access(None, "", pod, 1), find_access("/x", "", pod, 1)
    assert in_pod is not None
    assert in_pod.is_daemon
    assert given is not None
    assert not given.is_daemon
    assert find_access(None, "", {"HOME": str(tmp_path)}, 1) is None
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").touch()
    usual = find_access(None, "", {"HOME": str(tmp_path)}, 1)
    assert usual is not None
    assert not usual.is_daemon


async def test_checks_in_many_threads_share_one_client(tmp_path: Path) -> None:
    """One for each would log in as often."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"name": "shop"}}, headers={"Date": "now"})

    async with scripted_api(tmp_path) as api:
        api.then(*[answer] * 8)
        (tmp_path / "ca.crt").write_bytes(api.root.certificate.pem)
        (tmp_path / "config").write_text(
            "{current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], "
            "users: [{name: u, user: {token: t}}], clusters: [{name: c, cluster: "
            f"{{server: 'https://127.0.0.1:{api.port}', certificate-authority: ca.crt}}}}]}}"
        )
        access = ApiAccess(tmp_path / "config", "", {}, 20)

        async def work(asked: KubeApi, date: ServerDate) -> str:
            await asked.get(NAMESPACES, "shop")
            return date()

        try:
            asks = [asyncio.to_thread(access.ask, work) for _ in range(8)]
            assert await asyncio.gather(*asks) == ["now"] * 8
        finally:
            await asyncio.to_thread(access.close)
        assert len(api.seen) == 8


def test_an_api_server_that_answers_nothing_is_given_up(tmp_path: Path) -> None:
    """Whatever waits: here it is the kubeconfig, a FIFO for which no writer comes."""
    os.mkfifo(tmp_path / "config")
    access = ApiAccess(tmp_path / "config", "", {}, 1)

    async def endless(_api: KubeApi, _date: ServerDate) -> None:
        await asyncio.Event().wait()

    with pytest.raises(PlanesError):
        access.ask(endless)
    access.close()
    access.close()


def answering(path: Path, answer: bytes) -> threading.Thread:
    """Answer one connection to a unix socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)

    def serve() -> None:
        with listener, listener.accept()[0] as peer:
            peer.recv(4096)
            peer.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (b"200 OK", DaemonState(listens=True, is_ready=True, text="ok")),
        (b"503 Service Unavailable", DaemonState(listens=True, text="ok")),
    ],
)
def test_a_daemon_says_whether_it_is_ready(
    tmp_path: Path, status: bytes, state: DaemonState
) -> None:
    thread = answering(tmp_path / "s", b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok" % status)
    assert read_daemon(tmp_path / "s") == state
    thread.join()


def test_a_daemon_that_talks_no_http_or_is_away_is_found(tmp_path: Path) -> None:
    thread = answering(tmp_path / "s", b"garbage\r\n\r\n")
    state = read_daemon(tmp_path / "s")
    thread.join()
    assert "is not ready" in only(judge_daemon_state(state, "S", is_cluster=True)).what
    away = read_daemon(tmp_path / "none")
    assert "no daemon listens" in only(judge_daemon_state(away, "S", is_cluster=False)).what
    ready = DaemonState(listens=True, is_ready=True)
    assert not list(judge_daemon_state(ready, "S", is_cluster=False))
