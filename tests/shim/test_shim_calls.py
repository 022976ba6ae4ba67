"""The shim with a daemon that answers: what goes out, what comes back, byte for byte."""

from __future__ import annotations

import os
import socket
import subprocess
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.node.raw_daemon import answer, daemon, receive, scripted
from tests.support.node.shim import Shim, error_of

MIB = 1 << 20


def test_sends_variables_as_headers_and_stdin_as_body(shim: Shim) -> None:
    with daemon(shim.socket, answer(b"")) as peer:
        shim.run("ADD", b'{"name":"x"}', CNI_ARGS="K8S_POD_NAME=p;IP=1.2.3.4")
    assert peer.requests == [
        b"POST /v1/cni HTTP/1.1\r\nHost: netplane\r\nConnection: close\r\n"
        b"Cni-Command: ADD\r\nCni-Containerid: c0ffee\r\nCni-Netns: /run/netns/x\r\n"
        b"Cni-Ifname: eth0\r\nCni-Args: K8S_POD_NAME=p;IP=1.2.3.4\r\nCni-Path: /opt/cni/bin\r\n"
        b'Content-Length: 12\r\n\r\n{"name":"x"}'
    ]


def test_an_unset_variable_has_no_header_and_an_empty_one_an_empty_header(shim: Shim) -> None:
    with daemon(shim.socket, answer(b"")) as peer:
        shim.run("DEL", CNI_NETNS="", CNI_PATH=None)
    assert b"\r\nCni-Netns: \r\n" in peer.requests[0]
    assert b"Cni-Path" not in peer.requests[0]


@pytest.mark.parametrize("status", [0, 1])
def test_prints_the_body_byte_for_byte_and_exits_as_told(shim: Shim, status: int) -> None:
    body = b'{"a": "\xff\x00\xc3\xa9"}\r\n\r\nno newline at the end'
    with daemon(shim.socket, answer(body, status)):
        done = shim.run("ADD")
    assert (done.returncode, done.stdout, done.stderr) == (status, body, b"")


def test_an_empty_answer_prints_nothing(shim: Shim) -> None:
    with daemon(shim.socket, answer(b"")):
        done = shim.run("DEL")
    assert (done.returncode, done.stdout) == (0, b"")
    assert shim.spooled() == []


def test_reads_an_answer_that_comes_one_byte_at_a_time(shim: Shim) -> None:
    def trickle(connection: socket.socket) -> None:
        receive(connection)
        for byte in answer(b"slowly", 1):
            connection.send(bytes([byte]))
            time.sleep(0.0005)

    with scripted(shim.socket, trickle):
        done = shim.run("ADD")
    assert (done.returncode, done.stdout) == (1, b"slowly")


def test_does_not_wait_for_the_daemon_to_close(shim: Shim) -> None:
    def lingering(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(answer(b"{}"))
        assert connection.recv(1) == b"", "the shim closes first"

    with scripted(shim.socket, lingering):
        assert shim.run("ADD").stdout == b"{}"


def test_header_names_are_read_in_any_case(shim: Shim) -> None:
    with daemon(shim.socket, b"HTTP/1.1 200 OK\r\ncontent-LENGTH:2\r\nCNI-EXIT:  1\r\n\r\n{}"):
        done = shim.run("ADD")
    assert (done.returncode, done.stdout) == (1, b"{}")


def test_a_config_and_an_answer_of_8_mib_pass_whole(shim: Shim) -> None:
    config = os.urandom(MIB) * 8
    with daemon(shim.socket, answer(config[::-1])) as peer:
        done = shim.run("ADD", config)
    assert peer.requests[0].partition(b"\r\n\r\n")[2] == config
    assert done.stdout == config[::-1]


@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_a_stdin_of_10_mb_is_refused_and_goes_nowhere(shim: Shim, verb: str) -> None:
    error = error_of(shim.run(verb, b"x" * 10_000_000))
    assert error["code"] == 6
    assert "larger than 8 MiB" in error["msg"]
    assert shim.spooled() == []


def test_one_byte_more_than_8_mib_is_refused(shim: Shim) -> None:
    assert error_of(shim.run("ADD", b"x" * (8 * MIB + 1)))["code"] == 6


@pytest.mark.parametrize(
    "value", ["a\r\nCni-Exit: 0", "a\nb", "tab\there", "\x7f", " eth0", "eth0 ", "\x01"]
)
def test_a_value_that_would_arrive_changed_is_refused(shim: Shim, value: str) -> None:
    error = error_of(shim.run("ADD", CNI_IFNAME=value))
    assert (error["code"], "CNI_IFNAME" in error["msg"]) == (4, True)


def test_variables_of_more_than_64_kib_are_refused(shim: Shim) -> None:
    error = error_of(shim.run("ADD", CNI_ARGS="A=" + "x" * 60_000, CNI_PATH="/" + "y" * 10_000))
    assert (error["code"], "64 KiB" in error["msg"]) == (4, True)


def test_an_early_answer_to_a_large_config_is_read(shim: Shim) -> None:
    """A daemon that refuses by the headers alone does not read the rest."""

    def refuses(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer(b'{"code":6}', 1))
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.1)

    with scripted(shim.socket, refuses):
        done = shim.run("ADD", b"x" * 4 * MIB)
    assert (done.returncode, done.stdout) == (1, b'{"code":6}')


def test_a_reader_that_went_away_is_an_exit_status_not_a_signal(shim: Shim) -> None:
    with daemon(shim.socket, answer(b"x" * MIB)), shim.start("ADD") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.close()
        assert process.wait(10) == 1


def test_a_stdout_that_does_not_block_gets_everything(shim: Shim) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with daemon(shim.socket, answer(b"y" * MIB)):
        process = subprocess.Popen(
            [shim.binary], stdin=subprocess.DEVNULL, stdout=writer, env=shim.env("ADD")
        )
        os.close(writer)
        time.sleep(0.1)
        with open(reader, "rb") as stream:
            assert stream.read() == b"y" * MIB
        assert process.wait(10) == 0


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda head, body: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body,
            st.lists(
                st.sampled_from(
                    [b"Cni-Exit: 1", b"Cni-Exit: 7", b"Content-Length: 3", b"Cni-Exit:", b"\0",
                     b"Content-Length: -1", b"Content-Length: 99999999999999999999", b":", b"\r"]
                )
            ).map(b"\r\n".join),
            st.binary(max_size=8),
        ),
    )
)  # fmt: skip
def test_any_answer_gives_an_exit_status_of_0_or_1(sanitized: Shim, data: bytes) -> None:
    with daemon(sanitized.socket, data):
        done = sanitized.run("ADD")
    assert done.stderr == b"", "the sanitizers found something"
    assert done.returncode == 1
    if done.stdout.startswith(b"{\n"):
        assert error_of(done)["code"] == 11


def test_the_sanitized_shim_carries_a_call(sanitized: Shim) -> None:
    with daemon(sanitized.socket, answer(b"z" * 100_000)):
        done = sanitized.run("ADD", b"c" * 200_000, CNI_ARGS="A=" + "b" * 50_000)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"z" * 100_000, b"")
