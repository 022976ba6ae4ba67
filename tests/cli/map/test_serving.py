"""`netplane map --serve`: who gets an answer, and when the map is made."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from planes.cli.map.serving import HOST, MOST_WAITING, LivePage, MapServer, Waiting
from planes.model.errors import Unavailable
from tests.cli.map.scenes import small_machine
from tests.support.command_line import netplane


@dataclass
class Served:
    """A server whose page is a text, and how often that was made."""

    made: list[str] = field(default_factory=list)
    server: MapServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = MapServer(self._make, 0, request_seconds=300.0)

    def _make(self) -> str:
        self.made.append("made")
        return "<p>map</p>"

    def ask(
        self, method: str = "GET", path: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection(HOST, self.server.server_port, timeout=10)
        connection.request(method, path or self.server.path, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, text


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_the_address_that_was_printed_shows_the_map(served: Served) -> None:
    status, headers, text = served.ask()
    assert (status, text) == (200, "<p>map</p>")
    assert headers["content-security-policy"].startswith("default-src 'none'; ")
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


def test_head_has_the_headers_alone(served: Served) -> None:
    status, headers, text = served.ask("HEAD")
    assert (status, text, headers["content-length"]) == (200, "", "10")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(served: Served, method: str) -> None:
    status, headers, _ = served.ask(method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert served.made == []


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/../", "/%00", "*"])
def test_who_does_not_know_the_secret_gets_nothing(served: Served, path: str) -> None:
    status, _, text = served.ask(path=path)
    assert status == 404
    assert served.server.path not in text
    assert served.made == []


def test_a_part_of_the_secret_is_not_enough(served: Served) -> None:
    for path in (served.server.path[:-1], served.server.path[:-2] + "/", f"{served.server.path}?"):
        assert served.ask(path=path)[0] == 404


def test_the_secret_is_long_and_new_each_time(served: Served) -> None:
    other = MapServer(lambda: "", 0)
    other.server_close()
    assert other.path != served.server.path
    assert len(other.path) >= 32


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "[::1]"])
def test_a_name_that_was_pointed_here_gets_nothing(served: Served, host: str) -> None:
    assert served.ask(Host=host)[0] == 403
    assert served.made == []


def test_localhost_is_fine(served: Served) -> None:
    assert served.ask(Host=f"localhost:{served.server.server_port}")[0] == 200


def test_it_listens_on_the_loopback_interface_alone(served: Served) -> None:
    assert served.server.server_address[0] == "127.0.0.1"


def is_ended(connection: socket.socket) -> bool:
    """Report whether the server ended a connection on which it says nothing."""
    if not select.select([connection], [], [], 0)[0]:
        return False
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\nX-One: "])
def test_clients_that_ask_slowly_keep_nobody_out(served: Served, said: bytes) -> None:
    """The one that has waited longest gives way."""
    address = HOST, served.server.server_port
    slow = [socket.create_connection(address, timeout=20) for _ in range(MOST_WAITING)]
    for one in slow:
        one.sendall(said)
    assert served.ask()[0] == 200
    assert is_ended(slow[0])
    assert not is_ended(slow[-1])
    for one in slow:
        one.close()


def test_one_that_asked_for_the_map_does_not_give_way() -> None:
    one, other = socket.socketpair()
    others = [socket.socket() for _ in range(3)]
    waiting = Waiting(2)
    waiting.begin(one)
    waiting.end(one)
    for each in others:
        waiting.begin(each)
    one.sendall(b"still there")
    assert other.recv(20) == b"still there"
    for each in (one, other, *others):
        each.close()


def test_the_map_is_made_at_most_once_a_second() -> None:
    now, made = [100.0], list[int]()

    def make() -> str:
        made.append(1)
        return str(len(made))

    page = LivePage(make, lambda: now[0])
    assert [page.get()[1] for _ in range(3)] == [b"1"] * 3
    now[0] += 0.9
    assert page.get()[1] == b"1"
    now[0] += 0.1
    assert page.get()[1] == b"2"


def test_what_cannot_be_read_is_shown_and_asked_for_again() -> None:
    now, errors = [0.0], [Unavailable("cannot <reach> it", remedy="wait")]

    def make() -> str:
        if errors:
            raise errors.pop()
        return "map"

    page = LivePage(make, lambda: now[0])
    status, text = page.get()
    assert status == 503
    assert b"cannot &lt;reach&gt; it" in text
    assert b'http-equiv="refresh"' in text
    now[0] += 1
    assert page.get() == (200, b"map")


def test_a_port_that_is_taken_is_said(served: Served, tmp_path: Path) -> None:
    where = small_machine(tmp_path)
    done = netplane("map", *where, "--serve", str(served.server.server_port))
    assert done.status == 1
    assert "cannot serve the map on port" in done.err


def start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "planes.cli", "map", *words, "--serve"]
    pipe: Any = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=dict(os.environ))


def test_ctrl_c_ends_it_in_good_order(tmp_path: Path) -> None:
    process = start(*small_machine(tmp_path))
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request("GET", f"/{path}")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200
    assert '<meta http-equiv="refresh" content="10"/>' in text
    assert "database-0" in text
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in told
    assert "no longer served" in told
