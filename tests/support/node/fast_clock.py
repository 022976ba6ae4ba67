"""The daemon with a clock that runs faster.

`python -m tests.support.node.fast_clock FACTOR <flags of the daemon>`: what waits for a minute
before it acts, acts in a second or two.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace

from cni.__main__ import main
from cni.environment import Environment, machine
from cni.settings import Settings


class FastClock:
    """The machine's time, sped up from its first reading on.

    Args:
        factor: how many of its seconds pass in one.
    """

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._wall, self._began = time.time(), time.monotonic()

    def now(self) -> float:
        return self._wall + self._passed()

    def monotonic(self) -> float:
        return self._began + self._passed()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._factor)

    def _passed(self) -> float:
        return (time.monotonic() - self._began) * self._factor


def with_fast_clock(settings: Settings, env: Mapping[str, str]) -> Environment:
    """Make the daemon's environment with another clock."""
    return replace(machine(settings, env), clock=FastClock(float(os.environ["CLOCK_FACTOR"])))


if __name__ == "__main__":
    os.environ["CLOCK_FACTOR"] = sys.argv[1]
    sys.exit(main(sys.argv[2:], os.environ, sys.stderr, with_fast_clock))
