"""Virtual functions of an SR-IOV card in the root namespace, as the second kernel has them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.node.netns import run, why_no_kernel_tests

_LINKS = Path("/sys/class/net")
_DEVICES = Path("/sys/bus/pci/devices")
_VOLATILE = ("ifindex", "permaddr", "stats64", "operstate", "flags", "txqlen", "qdisc")
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Function:
    """One virtual function."""

    physical: str
    number: int

    @property
    def address(self) -> str:
        return os.path.basename(
            os.path.realpath(_LINKS / self.physical / f"device/virtfn{self.number}")
        )

    def settings(self) -> dict[str, Any]:
        """Return what the physical function says of it."""
        [shown] = json.loads(run("ip", "-j", "-d", "link", "show", self.physical))
        found: dict[str, Any] = shown["vfinfo_list"][self.number]
        return found

    def set(self, *setting: str) -> None:
        run("ip", "link", "set", self.physical, "vf", str(self.number), *setting)

    def shown(self) -> dict[str, Any]:
        """Return its link on the host; waits for it."""
        _eventually(lambda: bool(self._links()))
        [shown] = json.loads(run("ip", "-j", "-d", "link", "show", self._links()[0]))
        found = {key: value for key, value in shown.items() if key not in _VOLATILE}
        return {**found, "is_up": "UP" in shown["flags"]}

    def _links(self) -> list[str]:
        directory = _DEVICES / self.address / "net"
        return os.listdir(directory) if directory.is_dir() else []


@cache
def why_no_virtual_functions() -> str:
    """Return why there are no virtual functions here; "" where there are."""
    if reason := why_no_kernel_tests():
        return reason
    return "" if physical_function() else "no SR-IOV device: run it by `make vm`"


def physical_function() -> str:
    """Return the link of an SR-IOV device, "" where there is none."""
    found = sorted(path.parent.parent.name for path in _LINKS.glob("*/device/sriov_numvfs"))
    return found[0] if found else ""


@contextmanager
def virtual_functions(count: int) -> Iterator[list[Function]]:
    """Make virtual functions for a while."""
    physical = physical_function()
    switch = _LINKS / physical / "device/sriov_numvfs"
    run("ip", "link", "set", physical, "up")
    switch.write_text(str(count))
    made = [Function(physical, number) for number in range(count)]
    try:
        for one in made:
            one.shown()
        # Making functions resets the device, and igb refuses rates while it has no carrier.
        _eventually(lambda: "LOWER_UP" in run("ip", "link", "show", physical))
        yield made
    finally:
        switch.write_text("0")


@contextmanager
def bound_to(function: Function, driver: str) -> Iterator[None]:
    """Have another driver for a function for a while; skip where it cannot be had."""
    device = _DEVICES / function.address
    own = os.path.basename(os.path.realpath(device / "driver"))
    subprocess.run(["modprobe", driver], capture_output=True, check=False)
    if not Path(f"/sys/bus/pci/drivers/{driver}").is_dir():
        pytest.skip(f"this kernel has no {driver}")
    try:
        _bind(function, driver)
        yield
    except OSError as error:
        pytest.skip(f"cannot bind {driver}: {error}")
    finally:
        _bind(function, own)
        function.shown()


def _bind(function: Function, driver: str) -> None:
    device = _DEVICES / function.address
    if (device / "driver").exists():
        (device / "driver/unbind").write_text(function.address)
    (device / "driver_override").write_text(driver)
    Path("/sys/bus/pci/drivers_probe").write_text(function.address)
    if os.path.basename(os.path.realpath(device / "driver")) != driver:
        raise OSError(f"{driver} does not take {function.address}")


def _eventually(condition: Any) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
