"""The shim with a daemon that is away, silent or broken: who waits, who fails, who spools."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.node.raw_daemon import Script, answer, daemon, receive, scripted
from tests.support.node.shim import NETCONF, Shim, error_of

BROKEN = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nCni-Exit: 0\r\n",
    "half a body": answer(b"0123456789")[:-1],
    "no exit status": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "no length": b"HTTP/1.1 200 OK\r\nCni-Exit: 0\r\n\r\n{}",
    "a strange exit status": b"HTTP/1.1 200 OK\r\nCni-Exit: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a huge length": b"HTTP/1.1 200 OK\r\nCni-Exit: 0\r\nContent-Length: 8388609\r\n\r\n{}",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "another protocol": b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
    "an HTTP error": answer(b"only root may call\n", http=b"403 Forbidden"),
    "chunks": b"HTTP/1.1 200 OK\r\nCni-Exit: 0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}",
}


def slams(connection: socket.socket) -> None:
    """Close while the request is still coming."""
    connection.recv(10)


def holding(seconds: float) -> Script:
    def hold(connection: socket.socket) -> None:
        receive(connection)
        connection.settimeout(seconds)
        connection.recv(1)

    return hold


@pytest.mark.parametrize("verb", ["ADD", "CHECK", "GC"])
def test_without_a_daemon_a_call_fails_with_code_11_and_says_what_to_check(
    shim: Shim, verb: str
) -> None:
    error = error_of(shim.run(verb))
    assert error == {
        "cniVersion": "1.1.0",
        "code": 11,
        "msg": f"cannot reach the netplane daemon at {shim.socket}: No such file or directory",
        "details": "check that netplane-cni runs on this node and read its log",
    }


@pytest.mark.parametrize("verb", ["ADD", "CHECK"])
def test_add_and_check_wait_for_the_daemon_as_long_as_told(shim: Shim, verb: str) -> None:
    started = time.monotonic()
    assert error_of(shim.run(verb, NETPLANE_WAIT_SECONDS="1"))["code"] == 11
    assert 1.0 <= time.monotonic() - started < 3.0


@pytest.mark.parametrize("verb", ["GC", "DEL"])
def test_gc_and_del_do_not_wait(shim: Shim, verb: str) -> None:
    started = time.monotonic()
    shim.run(verb, NETPLANE_WAIT_SECONDS=None)
    assert time.monotonic() - started < 10  # a DEL is written down, which waits for the disk


def test_status_without_a_daemon_is_not_available(shim: Shim) -> None:
    assert error_of(shim.run("STATUS"))["code"] == 50


def test_status_finds_a_daemon_that_is_just_restarted(shim: Shim) -> None:
    """Else a runtime would show the node as not ready at every upgrade."""
    with shim.start("STATUS", NETPLANE_WAIT_SECONDS=None) as process:
        time.sleep(0.2)
        with daemon(shim.socket, answer(b"")):
            assert process.communicate(NETCONF)[0] == b""
    assert process.returncode == 0


def test_add_finds_a_daemon_that_comes_meanwhile(shim: Shim) -> None:
    with shim.start("ADD", NETPLANE_WAIT_SECONDS="10") as process:
        time.sleep(0.2)
        with daemon(shim.socket, answer(b"late")):
            assert process.communicate(NETCONF)[0] == b"late"


def test_add_finds_a_daemon_behind_a_stale_socket(shim: Shim) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(shim.socket))
    with shim.start("ADD", NETPLANE_WAIT_SECONDS="10") as process:
        time.sleep(0.1)
        shim.socket.unlink()
        with daemon(shim.socket, answer(b"late")):
            assert process.communicate(NETCONF)[0] == b"late"


def test_add_comes_again_when_the_daemon_is_stopping(shim: Shim) -> None:
    stopping = answer(b"stopping\n", http=b"503 Service Unavailable")
    with daemon(shim.socket, stopping, stopping, answer(b"done")) as peer:
        done = shim.run("ADD", NETPLANE_WAIT_SECONDS="10")
    assert (done.stdout, len(peer.requests)) == (b"done", 3)


def test_add_gives_up_on_a_daemon_that_keeps_stopping(shim: Shim) -> None:
    with daemon(shim.socket, answer(b"", http=b"503 Service Unavailable")):
        error = error_of(shim.run("ADD"))
    assert (error["code"], "it answered HTTP/1.1 503" in error["msg"]) == (11, True)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_answer_fails_an_add_and_spools_a_del(shim: Shim, kind: str) -> None:
    with daemon(shim.socket, BROKEN[kind], BROKEN[kind]):
        error = error_of(shim.run("ADD"))
        assert shim.run("DEL").returncode == 0
    assert error["code"] == 11
    assert error["msg"].startswith(f"cannot finish with the netplane daemon at {shim.socket}: ")
    assert len(shim.spooled()) == 1


def test_an_http_error_is_named(shim: Shim) -> None:
    with daemon(shim.socket, BROKEN["an HTTP error"]):
        assert "it answered HTTP/1.1 403 Forbidden" in error_of(shim.run("ADD"))["msg"]


def test_a_connection_closed_in_the_middle_fails_an_add_and_spools_a_del(shim: Shim) -> None:
    with scripted(shim.socket, slams, slams):
        error = error_of(shim.run("ADD", b"x" * 4_000_000))
        assert shim.run("DEL", b"x" * 4_000_000).returncode == 0
    assert (error["code"], "the connection broke" in error["msg"]) == (11, True)
    assert len(shim.spooled()) == 1


@pytest.mark.parametrize(("verb", "code"), [("ADD", 11), ("GC", 11), ("STATUS", 50)])
def test_a_silent_daemon_is_given_up(shim: Shim, verb: str, code: int) -> None:
    with scripted(shim.socket, holding(10)):
        error = error_of(shim.run(verb, NETPLANE_ANSWER_SECONDS="1"))
    assert (error["code"], "did not answer in time" in error["msg"]) == (code, True)


def test_a_del_at_a_silent_daemon_is_spooled(shim: Shim) -> None:
    started = time.monotonic()
    with scripted(shim.socket, holding(10)):
        assert shim.run("DEL", NETPLANE_ANSWER_SECONDS="1").returncode == 0
    assert time.monotonic() - started < 20
    assert len(shim.spooled()) == 1


def test_a_del_at_a_daemon_that_does_not_even_read_is_spooled(shim: Shim) -> None:
    deaf = threading.Event()
    with scripted(shim.socket, lambda _: (deaf.wait(10), None)[1]):
        done = shim.run("DEL", b"x" * 4_000_000, NETPLANE_ANSWER_SECONDS="1")
        deaf.set()
    assert (done.returncode, len(shim.spooled())) == (0, 1)


def test_a_full_backlog_counts_as_away(shim: Shim) -> None:
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(shim.socket))
        busy.listen(0)
        waiting.connect(str(shim.socket))
        error = error_of(shim.run("ADD"))
        assert shim.run("DEL").returncode == 0
    assert (error["code"], "Resource temporarily unavailable" in error["msg"]) == (11, True)
    assert len(shim.spooled()) == 1


def test_a_spooled_del_is_the_request_for_root_alone_and_prints_nothing(shim: Shim) -> None:
    with daemon(shim.socket, answer(b"")) as peer:
        shim.run("DEL", CNI_ARGS="K8S_POD_NAME=p")
    done = shim.run("DEL", CNI_ARGS="K8S_POD_NAME=p")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    [file] = shim.spooled()
    assert file.read_bytes() == peer.requests[0]
    assert file.name.endswith(".request")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_many_dels_at_once_are_all_spooled_in_order_of_time(shim: Shim) -> None:
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda n: shim.run("DEL", b"%d" % n).returncode, range(60)))
    assert codes == [0] * 60
    assert len(shim.spooled()) == 60
    shim.run("DEL", b"the last")
    assert shim.spooled()[-1].read_bytes().endswith(b"the last")


def test_a_del_that_cannot_be_spooled_fails_with_code_11_and_both_reasons(shim: Shim) -> None:
    shim.state.write_bytes(b"a file where the directory should be")
    error = error_of(shim.run("DEL"))
    assert error["code"] == 11
    assert "No such file or directory; cannot write to its spool: Not a directory" in error["msg"]


def test_a_socket_path_too_long_for_the_kernel_is_said_at_once(shim: Shim) -> None:
    path = "/" + "x" * 200
    error = error_of(shim.run("ADD", NETPLANE_SOCKET=path, NETPLANE_WAIT_SECONDS="10"))
    assert error["msg"].endswith("its path is longer than 107 bytes")
    assert shim.run("DEL", NETPLANE_SOCKET=path).returncode == 0


@pytest.mark.parametrize(
    ("path", "shown"),
    [('/a"b\\c\n\t\x01', '/a"b\\c\n\t\x01'), ("/é", "/??"), (os.fsdecode(b"/\xff"), "/?")],
)
def test_errors_are_json_whatever_the_path(shim: Shim, path: str, shown: str) -> None:
    assert f"at {shown}:" in error_of(shim.run("GC", NETPLANE_SOCKET=path))["msg"]


def test_errors_with_the_longest_path_are_json(sanitized: Shim) -> None:
    done = sanitized.run("GC", NETPLANE_SOCKET="\x01" * 100_000)
    assert (done.stderr, error_of(done)["code"]) == (b"", 11)


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "1s", "99999999999999999999"])
@pytest.mark.parametrize("name", ["NETPLANE_WAIT_SECONDS", "NETPLANE_ANSWER_SECONDS"])
def test_a_wait_that_is_no_number_is_refused(shim: Shim, name: str, value: str) -> None:
    error = error_of(shim.run("ADD", NETCONF, **{name: value}))
    assert (error["code"], name in error["msg"]) == (4, True)


def test_the_sanitized_shim_spools(sanitized: Shim) -> None:
    done = sanitized.run("DEL", b"x" * 1_000_000)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(sanitized.spooled()) == 1


def test_a_state_directory_too_long_for_a_path_is_an_error(sanitized: Shim) -> None:
    done = sanitized.run("DEL", NETPLANE_STATE_DIR="/" + "x" * 5000)
    assert json.loads(done.stdout)["code"] == 11
    assert done.stderr == b""
