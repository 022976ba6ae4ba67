"""`python -m tests.chaos`: a million allocations under kills and faults; `make chaos`.

usage: python -m tests.chaos [--allocations N] [--seed FIRST] [--processes P] [--only]

Every world follows from its seed. One that breaks a promise is played again by `--seed N --only`,
with fewer and fewer steps; what happens in those is printed, and the exit code is 1.
CHAOS_ALLOCATIONS and CHAOS_SEED in the environment stand for the options.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from tests.chaos.machine import Hook
from tests.chaos.play import STEPS, Outcome, play
from tests.chaos.shrink import shrunk
from tests.chaos.worlds import outcomes, prepared

_ALLOCATIONS: Final = 1_000_000
_SHRINK_SECONDS: Final = 60.0
_LAST_LINES: Final = 60
_SHOWN: Final = (
    *("kill", "died", "reboot", "replace", "fault", "cut", "refused"),
    *("force", "cut-off", "vanish", "leave", "shut", "elect"),
    *("leader's holder", "leader's node-holder", "leader's block"),
)


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; return the exit code."""
    given = _parsed(arguments)
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of a world
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-m", "tests.chaos", *arguments]
        os.execve(sys.executable, command, environment)  # noqa: S606
    hook = prepared()
    if given.only:
        outcome = play(given.seed, hook, is_traced=True)
        _say(_line(outcome))
        return _explained(outcome, hook) if outcome.failure else 0
    failed = _run(given.seed, given.allocations, given.processes)
    return _explained(failed, hook) if failed is not None else 0


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    environment = os.environ
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    allocations = int(environment.get("CHAOS_ALLOCATIONS") or _ALLOCATIONS)
    seed = int(environment.get("CHAOS_SEED") or int(time.time()) % 1_000_000_000)
    parser.add_argument("--allocations", type=int, default=allocations)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", action="store_true", help="play this seed alone, with all steps")
    return parser.parse_args(arguments)


def _run(first: int, allocations: int, processes: int) -> Outcome | None:
    """Play world after world until enough was handed out; return one that failed."""
    begun, done, worlds = time.monotonic(), 0, 0
    happened: Counter[str] = Counter()
    scenes: Counter[str] = Counter()
    for outcome in outcomes(first, processes):
        worlds += 1
        done += outcome.allocations
        happened += outcome.happened
        scenes[outcome.scene] += 1
        if outcome.failure:
            _say(_line(outcome))
            return outcome
        if worlds % 50 == 0:
            _say(f"chaos: {worlds} worlds, {done:,} allocations, to seed {outcome.seed}")
        if done >= allocations:
            break
    counts = ", ".join(f"{happened[what]:,} {what}" for what in _SHOWN)
    each = ", ".join(f"{name} {number}" for name, number in sorted(scenes.items()))
    _say(
        f"chaos: {done:,} allocations in {worlds} worlds from seed {first} on, "
        f"{time.monotonic() - begun:.0f} s: none twice, none lost ({counts}; {each})"
    )
    return None


def _explained(failed: Outcome, hook: Hook) -> int:
    """Print how a world fails with few steps."""
    seed = failed.seed
    _say(f"chaos: again: CHAOS_SEED={seed} python -m tests.chaos --only")
    steps, outcome = shrunk(failed, lambda few: play(seed, hook, steps=few), _SHRINK_SECONDS)
    _say(f"chaos: {len(steps)} of {min(STEPS, failed.step)} steps are enough: {outcome.failure}")
    traced = play(seed, hook, steps=steps, is_traced=True)
    for line in traced.trace[-_LAST_LINES:]:
        _say(f"  {line}")
    return 1


def _line(outcome: Outcome) -> str:
    text = f"seed {outcome.seed} ({outcome.scene}): {outcome.allocations} allocations"
    return f"{text}; after step {outcome.step}: {outcome.failure or 'nothing twice, nothing lost'}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
