"""A port that is open before its program is loaded: peers wait instead of being refused."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from planes.run.listening.sockets import listen

ROOT = Path(__file__).parents[2]
ANSWERS = """
import sys
sys.stdin.readline()  # it takes a while to load
from planes.run.listening.sockets import listen
(found,) = listen("127.0.0.1", int(sys.argv[1]))
import os
assert not os.get_inheritable(found.fileno()), "a plugin would get it too"
found.settimeout(20)
peer, _ = found.accept()
peer.sendall(b"here")
peer.close()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(variable: str, text: str, *program: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "planes.run.listening.early", variable, *program]
    env = {**os.environ, variable: text}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, stderr=pipe)


def test_who_connects_while_the_program_is_loaded_waits_and_is_answered() -> None:
    """The case: kubelet's first probes of each install were refused."""
    port = free_port()
    text = f"127.0.0.1:{port}"
    with start("PORT", text, sys.executable, "-c", ANSWERS, str(port)) as running:
        assert running.stdin is not None
        with _connected(port) as peer:
            running.stdin.write(b"go on\n")
            running.stdin.flush()
            assert peer.recv(16) == b"here"
        _, told = running.communicate(timeout=30)
        assert running.returncode == 0, told


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            time.sleep(0.005)  # the interpreter itself is being started
    raise AssertionError("nobody listens")


@pytest.mark.parametrize("text", ["", "nonsense", "127.0.0.1:99999999", "[::1", ":x"])
def test_a_wrong_address_is_left_to_the_program_to_tell(text: str) -> None:
    with start("PORT", text, sys.executable, "-c", "print('loaded')") as running:
        out, told = running.communicate(timeout=30)
    assert (out, told) == (b"loaded\n", b"")


def test_a_port_that_somebody_else_has_is_taken_for_the_program_too() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        with start(
            "PORT", f"127.0.0.1:{port}", sys.executable, "-c", ANSWERS, str(port)
        ) as running:
            _, told = running.communicate(b"go on\n", timeout=30)
    assert b"Address already in use" in told


def test_a_port_of_this_very_process_is_not_taken_twice() -> None:
    (first,) = listen("127.0.0.1", 0)
    with first, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])


def test_both_families_of_an_address_are_left_open() -> None:
    port = free_port()
    program = (
        f"from planes.run.listening.sockets import listen\n"
        f"print(len(listen('', {port})), len([1 for _ in listen('', 0)]))"
    )
    with start("PORT", f":{port}", sys.executable, "-c", program) as running:
        out, told = running.communicate(timeout=30)
    taken, usual = map(int, out.split())
    assert taken == usual, told
