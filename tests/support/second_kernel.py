"""A pytest plugin for runs in the second kernel of `make vm`, which is emulated and slow.

Invariant: a run in which the kernel lacked something, or in which no test passed, fails. The kernel
is started for tests that find what they probe for; if one does not, kernel or probe is wrong.
"""

from __future__ import annotations

import os
import platform
import re
from collections import Counter
from pathlib import Path

import pytest

_SLOWER = 10
"""How much longer a test may take than on a real machine."""

_LACKS = re.compile(
    r"kernel has no|kernel of this node has no|no SR-IOV device|no card with virtual|cannot bind"
)


def pytest_report_header() -> str:
    """Return a line that names this kernel."""
    is_uml = "User Mode Linux" in Path("/proc/cpuinfo").read_text()
    engine = "user-mode Linux" if is_uml else "QEMU"
    return f"second kernel: Linux {platform.release()} in {engine}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Multiply the time that each test may take; leave cases out where few are asked for."""
    usual = float(config.getini("timeout"))
    for item in items:
        marker = item.get_closest_marker("timeout")
        seconds = float(marker.args[0]) if marker is not None and marker.args else usual
        item.add_marker(pytest.mark.timeout(seconds * _SLOWER), append=False)
    if os.environ.get("VM_CASES") == "few":
        left_out = _after_the_first_case(items)
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _after_the_first_case(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the cases of a test after its first; those of each plugin type count apart.

    The ID of a case begins with the type where there are several: `vlan-mtu-1.0.0`.
    """
    seen: Counter[str] = Counter()
    left_out = []
    for item in items:
        test, _, case = item.nodeid.partition("[")
        kind = f"{test}[{case.partition('-')[0] if '-' in case else ''}"
        seen[kind] += 1
        if seen[kind] > 1 and item.get_closest_marker("sriov") is None:
            left_out.append(item)
    return left_out


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which no test passed, or one was skipped for what this kernel lacks."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or session.config.option.collectonly:
        return
    lacking = [one for one in reporter.stats.get("skipped", ()) if _LACKS.search(str(one.longrepr))]
    for report in lacking:
        reporter.write_line(f"the second kernel lacks what it is for: {report.nodeid}", red=True)
    if lacking or not reporter.stats.get("passed"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out, so that no run looks fuller than it was."""
    if os.environ.get("VM_CASES") == "few":
        terminalreporter.write_line(
            "of the cases of a test the first was run, as QEMU is slow; VM_CASES=all runs all"
        )
