"""The daemon on a machine where two threads hang: `python -m tests.support.stuck <flags>`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from cni.__main__ import main
from cni.machine import machine
from cni.settings import Settings
from cni.world import World
from planes.run.crew import Stuck

HANGING = [Stuck(62.0, "cni.ipam.address_files.locked"), Stuck(50.0, "cni.journal._write")]


def _make(settings: Settings, env: Mapping[str, str]) -> World:
    return replace(machine(settings, env), stuck=lambda _seconds: HANGING)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr, _make))
