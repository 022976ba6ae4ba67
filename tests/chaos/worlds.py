"""Many worlds, in several processes."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import cache
from itertools import count

from tests.chaos.machine import Hook
from tests.chaos.play import Outcome, play


@cache
def prepared() -> Hook:
    """Make this interpreter ready to play worlds, once."""
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = lambda _unraisable: None  # coroutines of dead processes, never resumed
    hook = Hook()
    hook.install()
    return hook


def outcomes(first: int, processes: int) -> Iterator[Outcome]:
    """Yield the outcome of each world from a seed on, several at a time, endlessly."""
    seeds = count(first)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        try:
            running: set[Future[Outcome]] = {
                pool.submit(_one, next(seeds)) for _ in range(processes)
            }
            while True:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(_one, next(seeds)) for _ in ended}
                yield from sorted((one.result() for one in ended), key=lambda one: one.seed)
        finally:
            pool.shutdown(cancel_futures=True)


def _one(seed: int) -> Outcome:
    outcome = play(seed, prepared())
    gc.collect()
    return outcome
