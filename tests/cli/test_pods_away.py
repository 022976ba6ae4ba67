"""`netplane pod add` while a program it needs is away: said at once, and of each pod."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cli.pod_machine import KERNEL_TESTS, Machine
from tests.support.command_line import netplane

pytestmark = KERNEL_TESTS

AWAY = {"code": 11, "msg": "cannot reach the netplane daemon at SOCK", "details": "start it"}


def add(made: Machine, *names: str, words: tuple[str, ...] = ()) -> tuple[int, str, str]:
    outcome = netplane("pod", "add", "-f", made.write(*names), *made.words, *words)
    return outcome.status, outcome.out, outcome.err


def test_without_a_daemon_it_says_at_once_what_it_waits_for_and_how_long(machine: Machine) -> None:
    machine.shim.answer("ADD", AWAY, status=1)
    status, _, err = add(machine, machine.pod, words=("--wait-seconds", "7"))
    assert status == 1
    sock = machine.home / "sock"
    waiting = (
        f"pod shop/{machine.pod}: waiting up to 7 s for netplane-cni: nobody listens at {sock}"
    )
    assert waiting in err
    failure = f"cannot attach pod shop/{machine.pod}: cannot reach the netplane daemon at SOCK"
    assert err.index(waiting) < err.index(failure)
    assert machine.shim.calls[0]["env"]["NETPLANE_WAIT_SECONDS"] == "7"


def test_each_pod_is_told_about_and_only_the_first_waits(machine: Machine) -> None:
    names = [f"{machine.pod}{letter}" for letter in "abc"]
    machine.shim.answer("ADD", AWAY, status=1)
    status, _, err = add(machine, *names)
    assert status == 1
    for name in names:
        assert f"cannot attach pod shop/{name}: cannot reach the netplane daemon" in err
    assert err.count("waiting up to 60 s") == 1
    assert "3 of 3 pods could not be created" in err
    waits = [
        call["env"]["NETPLANE_WAIT_SECONDS"]
        for call in machine.shim.calls
        if call["env"]["CNI_COMMAND"] == "ADD"
    ]
    assert waits == ["60", "0", "0"]


def test_a_daemon_that_listens_is_not_announced(machine: Machine) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
        daemon.bind(str(machine.home / "sock"))
        daemon.listen()
        status, _, err = add(machine, machine.pod)
    assert status == 0, err
    assert "waiting" not in err
    machine.remove()


def test_without_a_webhook_each_pod_is_told_about(machine: Machine) -> None:
    names = [f"{machine.pod}{letter}" for letter in "ab"]
    away = ("--webhook", "https://127.0.0.1:1")
    status, _, err = add(machine, *names, words=away)
    assert status == 1
    for name in names:
        assert f"cannot create pod shop/{name}: cannot reach the webhook at https://" in err
    assert machine.shim.calls == []


@pytest.mark.parametrize("seconds", ["soon", "-1", "86401"])
def test_a_wait_that_is_none_is_refused(tmp_path: Path, seconds: str) -> None:
    outcome = netplane("pod", "add", "-f", str(tmp_path / "x"), "--wait-seconds", seconds)
    assert outcome.status == 2
    assert "cannot use --wait-seconds" in outcome.err
