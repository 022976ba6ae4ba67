"""`netplane pod rm`, and what an interrupted `netplane pod add` leaves: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.pod_machine import KERNEL_TESTS, Machine
from tests.support.command_line import netplane

ROOT = Path(__file__).parents[2]

pytestmark = KERNEL_TESTS


def test_rm_detaches_and_leaves_nothing(machine: Machine) -> None:
    machine.add()
    assert machine.remove().status == 0
    assert machine.shim.verbs == ["ADD", "DEL"]
    assert (machine.stored, machine.namespaces) == (None, [])
    again = machine.remove()
    assert again.status == 1
    assert "there is no such pod" in again.err


def test_rm_takes_the_namespace_as_kubectl_does(machine: Machine) -> None:
    machine.add()
    assert netplane("pod", "rm", machine.pod, "-n", "bank", *machine.where).status == 1
    assert netplane("pod", "rm", "--all", "-n", "bank", *machine.where).status == 0
    assert machine.stored is not None
    assert netplane("pod", "rm", "--all", "-n", "shop", *machine.where).status == 0
    assert machine.stored is None


def test_rm_speaks_to_the_daemon_that_attached_the_pod(machine: Machine) -> None:
    """A DEL sent to another node's daemon would leave everything behind."""
    machine.add()
    outcome = netplane(
        *("pod", "rm", f"shop/{machine.pod}", *machine.where),
        *("--socket", "/other", "--state-dir", "/elsewhere"),
    )
    assert outcome.status == 0
    assert machine.shim.calls[1]["env"]["NETPLANE_SOCKET"] == str(machine.home / "sock")


def test_a_failed_del_keeps_the_pod_for_another_try(machine: Machine) -> None:
    machine.add()
    machine.shim.answer("DEL", {"code": 11, "msg": "busy"}, status=1)
    outcome = machine.remove()
    assert outcome.status == 1
    assert "cannot detach pod" in outcome.err
    assert machine.stored is not None
    machine.shim.answer("DEL", "")
    assert machine.remove().status == 0


IGNORING = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
"""Starts a program with SIGINT ignored, as a script's `&` does."""


@pytest.mark.parametrize(
    ("start", "number"),
    [((), signal.SIGINT), ((), signal.SIGTERM), (IGNORING, signal.SIGINT)],
    ids=["SIGINT", "SIGTERM", "SIGINT, ignored by who started it"],
)
def test_an_interrupted_add_is_undone(
    machine: Machine, start: tuple[str, ...], number: signal.Signals
) -> None:
    machine.shim.answer("ADD", {}, seconds=20)
    program = [*start, sys.executable, "-m", "planes.cli"]
    argv = [*program, "pod", "add", "-f", machine.write(machine.pod)]
    running = subprocess.Popen(
        [*argv, *machine.words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not machine.shim.calls and time.monotonic() < deadline:
        time.sleep(0.02)
    assert machine.shim.calls, "the shim was never called"
    running.send_signal(number)
    _, err = running.communicate(timeout=40)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert machine.shim.verbs == ["ADD", "DEL"]
    assert (machine.stored, machine.namespaces) == (None, [])
