"""The daemon on a machine where two threads hang.

`python -m tests.support.node.hanging_threads <flags of the daemon>`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from cni.__main__ import main
from cni.environment import Environment, machine
from cni.settings import Settings
from planes.run.worker_threads import StuckThread

HANGING = [
    StuckThread(62.0, "cni.ipam.host_local_files.locked"),
    StuckThread(50.0, "cni.journal.journal._write"),
]


def _make(settings: Settings, env: Mapping[str, str]) -> Environment:
    return replace(machine(settings, env), stuck=lambda _seconds: HANGING)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr, _make))
