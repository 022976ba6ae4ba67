"""The `netplane demo` command: its requirements, its steps in order, its report, its clean-up."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from planes.cli.command import SHIM, Command, Context, Task
from planes.cli.demo import (
    bridge_step,
    cleanup_step,
    ipvlan_step,
    leftovers,
    map_step,
    namespaces,
    outage_step,
    pods_step,
    refusals_step,
    traffic_step,
)
from planes.cli.demo.environment import DemoEnvironment
from planes.cli.demo.report import DemoReport
from planes.cli.pods import shim_path
from planes.model.errors import Denied, PlanesError, Unavailable
from planes.run.settings import Option

MAP_FILE: Final = Option(
    "--map", None, "write the map of the demo to this file, a page for a browser", metavar="FILE"
)

Step = Callable[[DemoEnvironment, DemoReport], None]

STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("Two namespaces are labelled, three applications deployed", pods_step.run),
    ("Traffic", traffic_step.run),
    ("Refusals", refusals_step.run),
    ("Outages", outage_step.run),
    ("A Multus user's ipvlan network", ipvlan_step.run),
    ("One host without Kubernetes: bridge networks", bridge_step.run),
    ("A map of it", map_step.run),
    ("Everything is removed", cleanup_step.run),
)


def run(context: Context) -> int:
    """Run the demo; return 1 if a check failed."""
    _require()
    with leftovers.only_demo():
        return _run(context)


def _run(context: Context) -> int:
    started = time.monotonic()
    console = context.console
    report = DemoReport(console)
    leftovers.clear(Path(tempfile.gettempdir()))
    before = cleanup_step.machine(())
    with _environment(context) as demo:
        console.line("Two nodes, as network namespaces of this machine", "bold")
        demo.open()
        console.line("  node1 and node2: eth0 underlay, eth1 to eth3 for planes, cbr0 by Flannel")
        console.line("  the webhook serves TLS; a daemon runs in each node")
        for title, step in STEPS:
            console.line("")
            console.line(title, "bold")
            _run_step(title, step, demo, report)
    after = cleanup_step.machine(demo.made)
    changed = sorted(before ^ after)
    report.check(
        "no interface and no namespace is left on the machine",
        holds=not changed,
        seen=", ".join(changed),
    )
    return report.finish(time.monotonic() - started)


def _run_step(title: str, step: Step, demo: DemoEnvironment, report: DemoReport) -> None:
    try:
        step(demo, report)
    except PlanesError as error:
        report.check(title, holds=False, seen=str(error))
    except Exception as error:
        # A step may need what an earlier one failed to make, a pod say. The others go on.
        report.check(title, holds=False, seen=f"{type(error).__name__}: {error}")


@contextmanager
def _environment(context: Context) -> Iterator[DemoEnvironment]:
    """Yield the environment, and close it in any case, also if Ctrl-C is pressed twice."""
    map_file = context.settings[MAP_FILE.key] or ""
    demo = DemoEnvironment(context.console, shim_path(context), map_file)
    try:
        yield demo
    finally:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in handlers:
            signal.signal(number, signal.SIG_IGN)
        try:
            demo.close()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _require() -> None:
    """Raise an error unless the demo can run here.

    Raises:
        Denied: this process does not run as root.
        Unavailable: a tool or a kernel feature is missing.
    """
    if os.geteuid() != 0:
        raise Denied(
            "cannot run the demo as an ordinary user: it makes network namespaces",
            remedy="run it as root: sudo make demo",
        )
    missing = [tool for tool in ("ip", "nsenter") if shutil.which(tool) is None]
    if missing:
        raise Unavailable(
            f"cannot run the demo: {' and '.join(missing)} not found",
            remedy="apt-get install iproute2 util-linux",
        )
    try:
        has_macvlan = namespaces.kernel_has("macvlan")
    except PlanesError as error:
        raise Unavailable(
            f"cannot run the demo: this machine makes no network namespaces ({error.message})",
            remedy="run it as root of a machine, not of an unprivileged container",
        ) from error
    if not has_macvlan:
        raise Unavailable(
            "cannot run the demo: this kernel has no macvlan",
            remedy="use a kernel with CONFIG_MACVLAN",
        )


DEMO: Final = Command(
    words=("demo",),
    help="show it all, for real, on this machine",
    run=run,
    options=(SHIM, MAP_FILE),
    task=Task.PROGRAM,
    example="sudo netplane demo",
)
