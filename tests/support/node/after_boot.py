"""The daemon as after another boot of the machine, with a clock that runs faster.

`python -m tests.support.node.after_boot BOOT FACTOR HOW N <flags of the daemon>`: BOOT stands for
the boot ID of the machine; HOW and N are those of `tests.support.node.interrupted`, `none` for an
ADD that nothing interrupts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from cni.__main__ import main
from cni.environment import Environment, machine
from cni.settings import Settings
from tests.support.node.fast_clock import FastClock
from tests.support.node.interrupted import interrupted

if __name__ == "__main__":
    boot, factor, how, at = sys.argv[1], float(sys.argv[2]), sys.argv[3], int(sys.argv[4])

    def make(settings: Settings, env: Mapping[str, str]) -> Environment:
        """Make the environment of production, but for boot ID and clock."""
        made = machine if how == "none" else interrupted(how, at)
        return replace(made(settings, env), boot=boot, clock=FastClock(factor))

    sys.exit(main(sys.argv[5:], os.environ, sys.stderr, make))
